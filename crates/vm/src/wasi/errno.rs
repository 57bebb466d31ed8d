//! Numbers of WASI errors.

use sandgate_abi::Status;

/// A WASI errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Errno {
    Success = 0,
    BadFd = 8,
    /// Envoy's answer to `fd_readdir`; "not a directory" would be 54.
    Exist = 20,
    Fault = 21,
    Invalid = 28,
    Io = 29,
    NoEntry = 44,
    NoSys = 52,
    NotSupported = 58,
    NotCapable = 76,
}

/// What a WASI function returns to the guest, unless the guest's call ends.
pub(crate) type Answer<G> = Result<u32, <G as crate::guest::Guest>::Error>;

// === impl Errno ===

impl Errno {
    pub(crate) const fn code(self) -> u32 {
        self as u32
    }
}

/// All that can go wrong with guest memory is that it is not there.
impl From<Status> for Errno {
    fn from(_: Status) -> Self {
        Self::Fault
    }
}

/// What a WASI function's result is as an errno.
pub(crate) trait AsErrno {
    fn errno(&self) -> u32;
}

impl AsErrno for u32 {
    fn errno(&self) -> u32 {
        *self
    }
}

impl AsErrno for () {
    fn errno(&self) -> u32 {
        0
    }
}

/// WASI's name of a number, as far as it is ever answered.
pub(crate) fn errno_name(errno: u32) -> &'static str {
    match errno {
        8 => "BADF",
        20 => "EXIST",
        21 => "FAULT",
        28 => "INVAL",
        29 => "IO",
        44 => "NOENT",
        52 => "NOSYS",
        58 => "NOTSUP",
        76 => "NOTCAPABLE",
        _ => "",
    }
}

pub(crate) fn errno(result: Result<(), Errno>) -> u32 {
    result.err().unwrap_or(Errno::Success).code()
}
