//! What plugins implement: a root context for each plugin, and a context for each of its streams.
//!
//! Callbacks begin with `on_` and do nothing unless overridden; the other methods are hostcalls.

mod context;
mod http;
mod root;
mod stream;

pub use self::context::Context;
pub use self::http::HttpContext;
pub use self::root::RootContext;
pub use self::stream::StreamContext;
