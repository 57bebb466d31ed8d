//! WASI preview 1 as plugins get it: clocks, random bytes, environment, standard output, and no files.
//!
//! Each function answers what Envoy 1.40 answers, also where another errno would be more usual. WASI may be
//! called at any time, from start functions and from the allocator too (Go's collector does).

mod errno;
mod files;
mod process;
mod stdio;

pub(crate) use errno::{AsErrno, Errno, errno_name};
pub(crate) use files::*;
pub(crate) use process::*;
pub(crate) use stdio::*;
