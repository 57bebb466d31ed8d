//! HPACK (RFC 7541): header fields as HTTP/2 sends them.
//!
//! Fields come and go in their order, whatever bytes they have: what may stand in a message is for others to say.

mod decoder;
mod dynamic_table;
mod encoder;
mod huffman;
mod huffman_code;
mod static_table;

pub use decoder::{DecodeError, Decoder};
pub use encoder::Encoder;

/// What both sides start with (`SETTINGS_HEADER_TABLE_SIZE`).
pub const DEFAULT_TABLE_SIZE: usize = 4096;
