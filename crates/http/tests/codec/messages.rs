//! The messages of the other tests: name, bytes, and what the decoder says.

/// A case: its name, the bytes, the transcript.
pub(crate) type Case = (&'static str, Vec<u8>, String);

pub(crate) const BAD: &str = "400 http1.codec_error";
pub(crate) const CONTROL: &str = "400 http1.invalid_characters";
pub(crate) const ENCODING: &str = "501 http1.invalid_transfer_encoding";
pub(crate) const BOTH: &str = "400 http1.content_length_and_chunked_not_allowed";
pub(crate) const MANY: &str = "431 http1.too_many_headers";
