//! Text.

use sandgate_formatter::Format;

use super::support::Sample;

fn renders(format: &str, text: &str) {
    assert_eq!(Sample::new().render(format), text, "{format}");
}

#[test]
fn headers_have_alternatives_and_lengths() {
    renders("[%REQ(x-a)%] %REQ(X-A):3% %REQ(none?x-a)% %REQ(none)% %RESP(x-b)% %TRAILER(x-t)% 100%%", {
        "[abcdef] abc abcdef - qu\"ote t 100%"
    });
}

#[test]
fn absent_values_can_be_omitted() {
    let format = Format::parse("<%REQ(none)%>").unwrap().omitting_empty_values();
    let mut out = Vec::new();
    format.render(&Sample::new().context(), &mut out);
    assert_eq!(out, b"<>");
}

#[test]
fn numbers_and_durations() {
    renders("%RESPONSE_CODE% %BYTES_SENT% %DURATION% %REQUEST_DURATION% %CONNECTION_ID%", "200 12 25 - 7");
}

#[test]
fn times() {
    renders("%START_TIME%", "2024-02-29T13:05:09.012Z");
    renders("%START_TIME(%Y/%m/%d %e %H:%M:%S %z %a %b)%", "2024/02/29 29 13:05:09 +0000 Thu Feb");
    renders("%START_TIME(%s.%3f %6f %f %1f)%", "1709211909.012 012345 012345678 0");
    renders("%START_TIME(%E3S %E*S %Ez %E4Y%ET %% %E)%", "09.012 09.012345678 +00:00 2024T % %E");
    renders("%EMIT_TIME(%s.%3f)%", "1709211909.037");
}

#[test]
fn addresses() {
    renders("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "192.0.2.77:1234 127.0.0.1");
    renders("%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "[2001:db8::1]:443 2001:db8::1");
    renders("%DOWNSTREAM_LOCAL_PORT% %UPSTREAM_LOCAL_ADDRESS%", "443 -");
    renders("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(24)%", "192.0.2.0/24");
    renders(
        "%UPSTREAM_HOST% %UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%",
        "10.0.0.9:81 10.0.0.9:81 10.0.0.9",
    );
}

#[test]
fn paths_and_queries() {
    renders("%PATH% %PATH(NQ)% %PATH(WQ:ORIG)% %PATH:2%", "/p?a=1&b=x%20y&a=2 /p - /p");
    renders("%QUERY_PARAM(a)% %QUERY_PARAM(b)% %QUERY_PARAM(c)% %QUERY_PARAMS%", "1 x y - a=1&b=x%20y&a=2");
    renders("%QUERY_PARAMS(DECODED)%", "a=1&b=x%20y&a=2");
}

#[test]
fn details_flags_and_names() {
    renders("%RESPONSE_CODE_DETAILS% %RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%", "via_upstream via upstream");
    renders("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% %ROUTE_NAME% %UPSTREAM_CLUSTER% %LISTENER_NAME%", "- - r1 c1 -");
    let mut sample = Sample::new();
    sample.info.set_response_flag(sandgate_filter::response_flag::NO_ROUTE_FOUND);
    sample.info.set_response_flag(sandgate_filter::response_flag::NO_HEALTHY_UPSTREAM);
    assert_eq!(sample.render("%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%"), "UH,NR NoHealthyUpstream,NoRouteFound");
}

#[test]
fn coalesce_takes_the_first_that_is_there() {
    let format = r#"%COALESCE({"operators":[{"command":"REQ","param":"none"},{"command":"REQ","param":"x-a","max_length":4},"PROTOCOL"]}):2%"#;
    renders(format, "ab");
}
