//! HTTP messages without I/O: the ordered header map, the body buffer, the HTTP/1 codec and HPACK.
#![forbid(unsafe_code)]

mod body_buffer;
mod filter_status;
pub mod h1;
mod header_map;
pub mod hpack;
mod write_buffer;

pub use body_buffer::BodyBuffer;
pub use filter_status::{DataStatus, Direction, HeadersStatus, LocalReply, TrailersStatus};
pub use header_map::{HeaderMap, HeaderMapKind};
pub use write_buffer::WriteBuffer;
