//! What RFC 9113 demands of a server: h2spec's section `http2`. Each module is a section of the RFC, each case named by the part.

mod connection_frames;
mod continuation;
mod flow_control;
mod framing;
mod messages;
mod stream_frames;
mod streams;
