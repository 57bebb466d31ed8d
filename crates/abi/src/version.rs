//! Versions of the ABI and the exports that mark them.

/// A version of the Proxy-Wasm ABI that Envoy 1.40 speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AbiVersion {
    /// 0.1.0: `get_configuration`, `continue_request`, headers callbacks without `end_of_stream`.
    V0_1_0,
    /// 0.2.0: `continue_stream`, `close_stream`, configuration as buffers.
    V0_2_0,
    /// 0.2.1: 0.2.0 with `get_log_level`.
    V0_2_1,
}

impl AbiVersion {
    /// The version that a function export of this name marks, if it marks one.
    #[must_use]
    pub fn from_marker(export: &str) -> Option<Self> {
        match export {
            "proxy_abi_version_0_1_0" => Some(Self::V0_1_0),
            "proxy_abi_version_0_2_0" => Some(Self::V0_2_0),
            "proxy_abi_version_0_2_1" => Some(Self::V0_2_1),
            _ => None,
        }
    }

    /// As users write it: `0.2.1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
        }
    }
}
