//! Formats that Envoy 1.40 refuses, with the words it has for them.

use sandgate_formatter::Format;

fn refused(format: &str, why: &str) {
    let error = Format::parse(format).expect_err(format);
    assert_eq!(error.to_string(), why, "{format}");
}

#[test]
fn what_is_no_command_is_refused_with_its_position() {
    for (format, position) in [
        ("%", 0),
        ("abc%", 3),
        ("%%%", 2),
        ("%lower%", 0),
        ("%REQ", 0),
        ("%REQ(x)", 0),
        ("%REQ(x):%", 0),
        ("%REQ(x):a%", 0),
        ("%REQ(x)y%", 0),
        ("%REQ(x):99999999999999999999%", 0),
        ("%REQ(a\nb)%", 0),
        ("%DURATION%%", 10),
        ("x %RESPONSE_CODE", 2),
    ] {
        let why = format!("Incorrect configuration: {format}. Couldn't find valid command at position {position}");
        refused(format, &why);
    }
}

#[test]
fn commands_take_what_they_take() {
    refused("%NOPE%", "Not supported field in StreamInfo: NOPE");
    refused("%REQ%", "REQ requires parameters");
    refused("%REQ()%", "REQ requires parameters");
    refused("%QUERY_PARAM:5%", "QUERY_PARAM requires parameters");
    refused("%PROTOCOL(x)%", "PROTOCOL does not take any parameters or length");
    refused("%LOCAL_REPLY_BODY:5%", "LOCAL_REPLY_BODY does not take any parameters or length");
    refused("%START_TIME(a:b):3%", "START_TIME does not allow length to be specified.");
    refused("%CLUSTER_METADATA(x):5%", "CLUSTER_METADATA does not allow length to be specified.");
    for format in ["%PROTOCOL()%", "%REQ(x):0%", "%DYNAMIC_METADATA(x):5%", "%PATH:5%", "%START_TIME(%s)%", "", "%%"] {
        assert!(Format::parse(format).is_ok(), "{format}");
    }
}

#[test]
fn header_names_are_checked() {
    refused("%REQ(a?b?c)%", "More than 1 alternative header specified in token: a?b?c");
    for format in ["%REQ(a b)%", "%REQ(A:Z)%", "%RESP(x\u{e9})%", "%REQ(x(y))%", "%REQ(a)b)%", "%REQ( a)%"] {
        refused(format, "Invalid header configuration. Format string contains invalid characters.");
    }
    for format in ["%REQ(?)%", "%REQ(?a)%", "%REQ(:path)%"] {
        assert!(Format::parse(format).is_ok(), "{format}");
    }
}

#[test]
fn parameters_are_checked() {
    for format in ["%START_TIME(%Y%n)%", "%START_TIME(%En)%", "%START_TIME(%5n)%"] {
        refused(format, "Invalid header configuration. Format string contains newline.");
    }
    refused("%COMMON_DURATION(a)%", "Invalid common duration configuration: a.");
    refused("%COMMON_DURATION(a:b:c)%", "Invalid common duration precision: c.");
    refused("%FILTER_STATE(a:b)%", "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.");
    let field = "Invalid filter state serialize type, FIELD should be used with the field name.";
    refused("%FILTER_STATE(a:FIELD)%", field);
    refused("%FILTER_STATE(a:PLAIN:x)%", field);
    refused("%FILTER_STATE%", "Invalid filter state configuration, key cannot be empty.");
    refused("%PATH(x)%", "Invalid PATH option: 'x', only 'WQ'/'NQ' are allowed");
    refused("%PATH(WQ:x)%", "Invalid PATH option: 'x', only 'ORIG'/'PATH'/'ORIG_OR_PATH' are allowed");
    refused("%QUERY_PARAMS(x)%", "Invalid QUERY_PARAMS option: 'x', only 'ORIG'/'DECODED' are allowed");
    refused("%METADATA(FILTER:a)%", "FILTER is not supported type of metadata");
    refused("%GRPC_STATUS(x)%", "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: x");
}

#[test]
fn coalesce_names_what_is_wrong() {
    refused("%COALESCE%", "COALESCE requires parameters");
    refused("%COALESCE({})%", "COALESCE: JSON configuration must contain 'operators' array");
    refused(r#"%COALESCE({"operators":[]})%"#, "COALESCE: 'operators' array must not be empty");
    refused(
        r#"%COALESCE({"operators":["HOSTNAME","x"]})%"#,
        "COALESCE: failed to parse operator at index 1: unknown command: 'x'",
    );
    refused(
        r#"%COALESCE({"operators":[{"command":"REQ"}]})%"#,
        "COALESCE: failed to parse operator at index 0: REQ requires parameters",
    );
    refused(
        r#"%COALESCE({"operators":[{"command":"REQ","param":"a","max_length":0}]})%"#,
        "COALESCE: failed to parse operator at index 0: 'max_length' must be a positive integer",
    );
}
