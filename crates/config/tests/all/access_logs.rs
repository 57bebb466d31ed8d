//! Access logs and local replies.

use sandgate_config::model::{
    AccessLog, AccessLogFilter, AccessLogSink, AccessLogger, Comparison, ComparisonOp, HttpConnectionManager,
    RuntimeUInt32, SubstitutionFormat,
};

use crate::support::{Slot, accepted, config, refused, table};

const OK: Option<&str> = None;

fn manager(text: &str) -> HttpConnectionManager {
    accepted(&config(Slot::Manager, text)).listeners[0].filter_chains[0].http_connection_manager().unwrap().clone()
}

/// An access log to `/dev/null` with more in its logger.
fn file(more: &str) -> String {
    format!(
        "access_log: [{{name: x, typed_config: {{\"@type\": \
         type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null, {more}}}}}]"
    )
}

/// An access log with a filter.
fn filtered(filter: &str) -> String {
    format!(
        "access_log: [{{name: x, filter: {filter}, typed_config: {{\"@type\": \
         type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null}}}}]"
    )
}

fn logger(text: &str) -> AccessLog {
    manager(text).access_logs.remove(0)
}

fn line(text: &str) -> (AccessLogSink, SubstitutionFormat) {
    let AccessLogger::Line { sink, format } = logger(text).logger else { panic!("no line") };
    (sink, format)
}

#[test]
fn formats() {
    for (more, wanted) in [
        ("format: \"x %PROTOCOL%\"", OK),
        ("format: \"\"", OK),
        ("json_format: {a: \"%PROTOCOL%\"}", OK),
        ("typed_json_format: {a: 1, b: null}", OK),
        ("log_format: {text_format: x}", OK),
        ("log_format: {text_format_source: {inline_string: \"%REQ(x)%\"}, omit_empty_values: true}", OK),
        ("log_format: {json_format: {a: {b: [\"%PROTOCOL%\"]}}, json_format_options: {sort_properties: true}}", OK),
        ("log_format: {}", Some("one of text_format, json_format, text_format_source")),
        ("log_format: {text_format_source: {}}", Some("one of filename")),
        ("log_format: {text_format: x, content_type: \"a\\nb\"}", Some("content_type")),
        ("log_format: {text_format: x, formatters: [{name: x}]}", Some("typed_config")),
        ("format: \"%NOPE%\"", Some("Not supported field in StreamInfo: NOPE")),
        ("json_format: {a: \"%\"}", Some("Couldn't find valid command at position 0")),
        ("log_format: {text_format_source: {inline_string: \"%REQ%\"}}", Some("REQ requires parameters")),
    ] {
        table(Slot::Manager, &[(&file(more), wanted)]);
    }
    let (_, default) = line(&file(""));
    assert_eq!(line(&file("format: \"\"")).1, default);
    let SubstitutionFormat::Text(format) = default else { panic!("no text") };
    assert!(format.text().starts_with("[%START_TIME%] ") && format.text().ends_with("\"%UPSTREAM_HOST%\"\n"));
}

#[test]
fn sinks() {
    assert_eq!(line(&file("")).0, AccessLogSink::File("/dev/null".to_owned()));
    for (kind, sink) in [("Stdout", AccessLogSink::Stdout), ("Stderr", AccessLogSink::Stderr)] {
        let text = format!(
            "access_log: {{typed_config: {{\"@type\": \
             type.googleapis.com/envoy.extensions.access_loggers.stream.v3.{kind}AccessLog}}}}"
        );
        assert_eq!(line(&text).0, sink);
    }
    table(
        Slot::Manager,
        &[
            ("access_log: [{name: x}]", Some("access logger \"x\" has no typed_config")),
            (
                "access_log: [{name: x, typed_config: {\"@type\": type.googleapis.com/google.protobuf.Empty}}]",
                Some("access logger \"x\" (google.protobuf.Empty) is not implemented"),
            ),
        ],
    );
    refused(&config(Slot::Manager, &file("").replace("/dev/null", "\"\"")), "path: value length must be at least 1");
}

#[test]
fn filters() {
    let compare = |op: &str| {
        format!("{{status_code_filter: {{comparison: {{op: {op}, value: {{default_value: 400, runtime_key: k}}}}}}}}")
    };
    let AccessLogFilter::StatusCode(comparison) = logger(&filtered(&compare("GE"))).filter.unwrap() else {
        panic!("another filter")
    };
    let value = RuntimeUInt32 { default: 400, key: "k".to_owned() };
    assert_eq!(comparison, Comparison { op: ComparisonOp::GreaterOrEqual, value });
    let flags = logger(&filtered("{response_flag_filter: {flags: [UH, NR]}}")).filter;
    assert_eq!(flags, Some(AccessLogFilter::ResponseFlag(1 << 1 | 1 << 8)));
    let status = logger(&filtered("{grpc_status_filter: {statuses: [OK, UNKNOWN], exclude: true}}")).filter;
    assert_eq!(status, Some(AccessLogFilter::GrpcStatus { statuses: 5, exclude: true }));
    for (filter, wanted) in [
        ("{}", Some("one of status_code_filter")),
        ("{status_code_filter: {}}", Some("comparison: value is required")),
        ("{duration_filter: {comparison: {op: LE}}}", Some("value: value is required")),
        ("{not_health_check_filter: {}}", OK),
        ("{traceable_filter: {}}", OK),
        ("{runtime_filter: {}}", Some("runtime_key: value length must be at least 1")),
        ("{runtime_filter: {runtime_key: a, percent_sampled: {numerator: 200}}}", OK),
        ("{and_filter: {filters: [{not_health_check_filter: {}}]}}", Some("at least 2 item")),
        ("{and_filter: {filters: [{not_health_check_filter: {}}, {}]}}", Some("filters[1]")),
        ("{or_filter: {filters: [{not_health_check_filter: {}}, {traceable_filter: {}}]}}", OK),
        ("{response_flag_filter: {}}", OK),
        ("{response_flag_filter: {flags: [XX]}}", Some("flags[0]: value is not in the list of allowed ones")),
        ("{grpc_status_filter: {statuses: [17]}}", Some("defined enum values")),
        ("{log_type_filter: {types: [DownstreamEnd], exclude: true}}", OK),
        ("{extension_filter: {name: x}}", Some("access log filter")),
    ] {
        table(Slot::Manager, &[(&filtered(filter), wanted)]);
    }
}

#[test]
fn options() {
    let options = manager("access_log_options: {access_log_flush_interval: 1s, flush_access_log_on_new_request: true}");
    let old = manager("access_log_flush_interval: 1s\nflush_access_log_on_new_request: true");
    assert_eq!(options.access_log_options, old.access_log_options);
    assert!(old.access_log_options.on_new_request);
    table(
        Slot::Manager,
        &[
            ("access_log_options: {access_log_flush_interval: 0s}", Some("greater than or equal to 0.001s")),
            (
                "access_log_flush_interval: 1s\naccess_log_options: {}",
                Some("Only one of access_log_flush_interval or access_log_options can be specified."),
            ),
            (
                "flush_access_log_on_new_request: true\naccess_log_options: {}",
                Some("Only one of flush_access_log_on_new_request or access_log_options can be specified."),
            ),
        ],
    );
}

#[test]
fn local_replies() {
    let mapper = |more: &str| {
        format!("local_reply_config: {{mappers: [{{filter: {{not_health_check_filter: {{}}}}, {more}}}]}}")
    };
    let config = manager(&mapper("status_code: 418, body: {inline_string: x}")).local_reply.unwrap();
    assert_eq!((config.mappers[0].status_code, config.mappers[0].body.as_deref()), (Some(418), Some(b"x".as_slice())));
    let body = manager("local_reply_config: {body_format: {json_format: {a: \"%LOCAL_REPLY_BODY%\"}}}").local_reply;
    assert_eq!(body.unwrap().body_format.unwrap().content_type, "application/json");
    for (text, wanted) in [
        ("local_reply_config: {}", OK),
        ("local_reply_config: {mappers: [{}]}", Some("filter: value is required")),
        (&mapper("status_code: 199"), Some("status_code: value must be inside range [200, 600)")),
        (&mapper("status_code: 600"), Some("status_code: value must be inside range [200, 600)")),
        (&mapper("body: {}"), Some("one of filename")),
        (&mapper("body: {inline_string: \"\"}"), OK),
        (&mapper("headers_to_add: [{header: {key: x, value: \"%PROTOCOL%\"}}]"), OK),
        (
            &mapper("headers_to_add: [{header: {key: \":status\", value: x}}]"),
            Some(":-prefixed or host headers may not be modified"),
        ),
        (&mapper("headers_to_add: [{header: {key: x, value: \"%NOPE%\"}}]"), Some("Not supported field")),
        ("local_reply_config: {body_format: {}}", Some("one of text_format")),
        ("local_reply_config: {body_format: {text_format: \"%NOPE%\"}}", Some("Not supported field")),
    ] {
        table(Slot::Manager, &[(text, wanted)]);
    }
}
