//! What a hostcall answers to the guest.

/// The status that every hostcall returns (`WasmResult` in Envoy; spec section "Status").
///
/// Not every SDK knows every value: the Rust SDK panics on 5, 6, 9, 11 and 12, so a host
/// keeps those for the situations they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Status {
    /// The call did what was asked.
    Ok = 0,
    /// The thing asked for is not there.
    NotFound = 1,
    /// An argument cannot be used: unknown enum value, wrong phase, unknown id.
    BadArgument = 2,
    /// The value exists but has no byte form.
    SerializationFailure = 3,
    /// The bytes given cannot be read as what they should be.
    ParseFailure = 4,
    /// Envoy only; not in the spec.
    BadExpression = 5,
    /// A guest pointer or length lies outside the guest's memory.
    InvalidMemoryAccess = 6,
    /// The queue has no element.
    Empty = 7,
    /// The shared value was changed by somebody else since it was read.
    CasMismatch = 8,
    /// Envoy only; not in the spec.
    ResultMismatch = 9,
    /// The host could not do it, or was told not to allow it.
    InternalFailure = 10,
    /// Envoy only; the status of a callout that was reset.
    BrokenConnection = 11,
    /// The host does not have this function.
    Unimplemented = 12,
}

impl Status {
    /// The number that goes over the ABI.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}
