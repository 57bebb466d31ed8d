#![no_main]

use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use sandgate_filter::{ConnectionInfo, StreamInfo};
use sandgate_formatter::{Format, FormatContext};
use sandgate_http::HeaderMap;

// Text is a format or is refused with a reason; a format renders without a stream, and with headers.
fuzz_target!(|input: (&str, &str)| {
    let (text, value) = input;
    let format = match Format::parse(text) {
        Ok(format) => format,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(format.text(), text);
    let now = Instant::now();
    let info = StreamInfo::new(Some("HTTP/2"), SystemTime::UNIX_EPOCH, now);
    let connection = ConnectionInfo::default();
    let mut headers = HeaderMap::new();
    for name in [":path", ":method", "x", "grpc-status", "cookie"] {
        headers.append(name.as_bytes(), value.as_bytes());
    }
    let mut context = FormatContext::new(&info, &connection, now);
    let mut bare = Vec::new();
    format.render(&context, &mut bare);
    if let Some(constant) = format.constant() {
        assert_eq!(bare, constant.as_bytes());
    }
    context.request_headers = Some(&headers);
    context.response_headers = Some(&headers);
    context.response_trailers = Some(&headers);
    format.render(&context, &mut Vec::new());
    format.omitting_empty_values().render(&context, &mut Vec::new());
});
