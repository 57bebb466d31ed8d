//! The HTTP/1 codec: bytes to events and events to bytes, framed as Envoy 1.40 frames them.

mod body;
mod body_encoder;
mod chars;
mod chunked;
mod connection;
mod encode_error;
mod encoder;
mod error;
mod event;
mod fields;
mod framing;
mod number;
mod options;
mod reason;
mod request_decoder;
mod request_head;
mod request_line;
mod response_decoder;
mod response_head;
mod scan;
mod status_line;
mod target;

pub use body_encoder::BodyEncoder;
pub use connection::is_upgrade;
pub use encode_error::EncodeError;
pub use encoder::{RequestEncodeOptions, ResponseEncodeOptions, encode_continue, encode_request, encode_response};
pub use error::{DecodeError, DecodeErrorKind};
pub use event::{Event, RequestHead, ResponseHead, Version};
pub use options::{RequestOptions, ResponseOptions};
pub use reason::reason_phrase;
pub use request_decoder::RequestDecoder;
pub use response_decoder::ResponseDecoder;
