//! What wrappers ask of the host, and make of its answers.

use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::{BufferType, GrpcStatusCode, LogLevel, MapType, MetricType, Status};
use sandgate_abi::Status as AbiStatus;

use crate::recorder::{LARGE, NUMBER, Recorder};
use crate::vms::vm;

/// Makes one test's calls in its tick.
macro_rules! in_a_tick {
    ($host:ident => $body:block, $checks:block) => {{
        mod plugin {
            use super::*;

            struct Root;
            impl Context for Root {}
            impl RootContext for Root {
                fn on_tick(&mut self) {
                    $body
                }
            }
            proxy_wasm::main! {{ proxy_wasm::set_root_context(|_| Box::new(Root)); }}
        }
        let mut vm = vm(&proxy_wasm::plugins![plugin], "plugin");
        let prepare: fn(&Recorder) = |$host| $checks;
        prepare(&vm.host);
        let result = vm.tick();
        (result, vm.asked())
    }};
}

#[test]
fn calls_arrive_as_they_were_meant() {
    let (result, asked) = in_a_tick!(_host => {
        hostcalls::log(LogLevel::Warn, "line").unwrap();
        hostcalls::set_tick_period(Duration::from_secs(2)).unwrap();
        hostcalls::get_buffer(BufferType::PluginConfiguration, 0, usize::MAX).unwrap();
        hostcalls::set_buffer(BufferType::HttpRequestBody, 1, 2, b"x").unwrap();
        hostcalls::set_map(MapType::HttpRequestHeaders, vec![("a", "b")]).unwrap();
        hostcalls::set_map_value(MapType::HttpRequestTrailers, "n", Some("v")).unwrap();
        hostcalls::set_map_value(MapType::HttpRequestTrailers, "n", None).unwrap();
        hostcalls::add_map_value_bytes(MapType::HttpResponseHeaders, "n", b"\xff").unwrap();
        hostcalls::get_property(vec!["request", "path"]).unwrap();
        hostcalls::set_property(vec!["a"], Some(b"b")).unwrap();
        hostcalls::set_shared_data("k", Some(b"v"), None).unwrap();
        hostcalls::set_shared_data("k", None, Some(7)).unwrap();
        hostcalls::enqueue_shared_queue(3, Some(b"v")).unwrap();
        hostcalls::resume_http_request().unwrap();
        hostcalls::reset_http_response().unwrap();
        hostcalls::resume_upstream().unwrap();
        hostcalls::close_downstream().unwrap();
        hostcalls::send_http_response(403, vec![], Some(b"no")).unwrap();
        hostcalls::send_grpc_response(GrpcStatusCode::NotFound, Some("no"), vec![("a", b"b")]).unwrap();
        hostcalls::dispatch_http_call("c", vec![("a", "b")], None, vec![], Duration::from_millis(5)).unwrap();
        hostcalls::dispatch_grpc_call("c", "s", "m", vec![], Some(b"x"), Duration::from_millis(5)).unwrap();
        hostcalls::open_grpc_stream("c", "s", "m", vec![]).unwrap();
        hostcalls::send_grpc_stream_message(1, None, true).unwrap();
        hostcalls::define_metric(MetricType::Histogram, "m").unwrap();
        hostcalls::increment_metric(4, -1).unwrap();
        hostcalls::call_foreign_function("f", Some(b"x")).unwrap();
        hostcalls::done().unwrap();
    }, {});
    result.unwrap();
    let map = r"\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00a\x00b\x00";
    let expected = [
        "log(Warn, line)".to_owned(),
        "set_tick_period_milliseconds(2000)".into(),
        "get_buffer_bytes(PluginConfiguration, 0, 4294967295)".into(),
        "set_buffer_bytes(HttpRequestBody, 1, 2, x)".into(),
        format!("set_header_map_pairs(HttpRequestHeaders, {map})"),
        "replace_header_map_value(HttpRequestTrailers, n, v)".into(),
        "remove_header_map_value(HttpRequestTrailers, n)".into(),
        r"add_header_map_value(HttpResponseHeaders, n, \xff)".into(),
        r"get_property(request\x00path)".into(),
        "set_property(a, b)".into(),
        "set_shared_data(k, v, 0)".into(),
        "set_shared_data(k, , 7)".into(),
        "enqueue_shared_queue(3, v)".into(),
        "continue_stream(Request)".into(),
        "close_stream(Response)".into(),
        "continue_stream(Upstream)".into(),
        "close_stream(Downstream)".into(),
        "send_local_response(403, , no, , 4294967295)".into(),
        format!("send_local_response(200, , no, {map}, 5)"),
        format!("http_call(c, {map}, , , 5)"),
        "grpc_call(c, s, m, , x, 5)".into(),
        "grpc_stream(c, s, m, , , 0)".into(),
        "grpc_send(1, , true)".into(),
        "define_metric(Histogram, m)".into(),
        "increment_metric(4, -1)".into(),
        "call_foreign_function(f, x)".into(),
        "done()".into(),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn values_come_back() {
    let (result, _) = in_a_tick!(host => {
        let whole = Some(b"copied, shared".to_vec());
        assert_eq!(hostcalls::get_buffer(BufferType::CallData, 0, 9), Ok(whole.clone()));
        assert_eq!(hostcalls::get_map_value(MapType::HttpRequestHeaders, "a"), Ok(Some("copied, shared".to_owned())));
        assert_eq!(hostcalls::get_shared_data("k"), Ok((whole.clone(), Some(NUMBER))));
        assert_eq!(hostcalls::dequeue_shared_queue(1), Ok(whole.clone()));
        assert_eq!(hostcalls::call_foreign_function("f", None), Ok(whole));
        assert_eq!(hostcalls::get_grpc_status(), Ok((NUMBER, Some("copied, shared".to_owned()))));
        assert_eq!(hostcalls::resolve_shared_queue("v", "q"), Ok(Some(NUMBER)));
        assert_eq!(hostcalls::get_metric(1), Ok(LARGE));
        assert_eq!(hostcalls::get_current_time(), Ok(UNIX_EPOCH + Duration::from_nanos(LARGE)));
        assert_eq!(hostcalls::get_log_level(), Ok(LogLevel::Critical), "no level has this number");
    }, { *host.value.borrow_mut() = vec![b"copied, ", b"shared"]; });
    result.unwrap();
}

#[test]
fn maps_come_back() {
    let (result, _) = in_a_tick!(host => {
        let map = hostcalls::get_map_bytes(MapType::HttpRequestHeaders).unwrap();
        assert_eq!(map, [("a".to_owned(), b"1".to_vec()), ("a".to_owned(), Vec::new())]);
        assert_eq!(hostcalls::get_map(MapType::HttpRequestHeaders).unwrap().len(), 2);
    }, {
        *host.value.borrow_mut() =
            vec![b"\x02\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0", b"a\x001\0a\0\0"];
    });
    result.unwrap();
}

#[test]
fn no_bytes_are_no_value_but_of_headers() {
    let (result, _) = in_a_tick!(_host => {
        assert_eq!(hostcalls::get_buffer(BufferType::CallData, 0, 9), Ok(None));
        assert_eq!(hostcalls::get_property(vec!["a"]), Ok(None));
        assert_eq!(hostcalls::get_map_value(MapType::HttpRequestHeaders, "a"), Ok(Some(String::new())));
        assert_eq!(hostcalls::get_map(MapType::HttpRequestHeaders), Ok(Vec::new()));
        assert_eq!(hostcalls::get_shared_data("k"), Ok((None, Some(NUMBER))));
        assert_eq!(hostcalls::get_grpc_status(), Ok((NUMBER, None)));
    }, {});
    result.unwrap();
}

#[test]
fn what_is_not_there_is_none() {
    let (result, _) = in_a_tick!(host => {
        assert_eq!(hostcalls::get_buffer(BufferType::CallData, 0, 9), Ok(None));
        assert_eq!(hostcalls::get_property(vec!["a"]), Ok(None));
        assert_eq!(hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, "a"), Ok(None));
        assert_eq!(hostcalls::get_shared_data("k"), Ok((None, None)));
        assert_eq!(hostcalls::resolve_shared_queue("v", "q"), Ok(None));
        assert_eq!(hostcalls::dequeue_shared_queue(1), Err(Status::NotFound));
        assert_eq!(hostcalls::record_metric(1, 1), Err(Status::NotFound));
        assert_eq!(hostcalls::call_foreign_function("f", None), Err(Status::NotFound));
        assert_eq!(hostcalls::cancel_grpc_call(1), Err(Status::NotFound));
    }, { host.failure.set(Some(AbiStatus::NotFound)); });
    result.unwrap();
}

#[test]
fn other_answers_are_the_end() {
    let (result, _) = in_a_tick!(_host => {
        let _ = hostcalls::define_metric(MetricType::Counter, "m");
    }, { _host.failure.set(Some(AbiStatus::InvalidMemoryAccess)); });
    let fault = result.unwrap_err().to_string();
    assert_eq!(fault, "Function: proxy_on_tick failed: native plugin panicked: unexpected status: 6");
}

#[test]
fn text_that_is_none_is_the_end() {
    let (result, _) = in_a_tick!(host => {
        assert_eq!(hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, "a"), Ok(Some(vec![0xff])));
        let _ = hostcalls::get_map_value(MapType::HttpRequestHeaders, "a");
    }, { *host.value.borrow_mut() = vec![b"\xff"]; });
    assert!(result.unwrap_err().to_string().contains("invalid utf-8"));
}

#[test]
#[should_panic(expected = "log was called outside of a plugin's callbacks")]
fn there_is_no_host_outside_of_plugins() {
    let _ = hostcalls::log(LogLevel::Info, "nobody hears this");
}
