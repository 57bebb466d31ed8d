//! Types of functions, and how Envoy writes them in its messages.

use std::borrow::Cow;
use std::fmt;

/// A Wasm value type. The ABI itself uses only `i32` and `i64`; the others are what modules may have instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in the Wasm specification")]
pub enum ValType {
    I32,
    I64,
    F32,
    F64,
    V128,
    FuncRef,
    ExternRef,
    /// Any other reference.
    Reference,
}

/// The type of a function.
///
/// Written as Envoy writes it: `i32 i64 -> i32`, and `void` where there is nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// Parameters in order.
    pub parameters: Cow<'static, [ValType]>,
    /// Results in order; the ABI has at most one.
    pub results: Cow<'static, [ValType]>,
}

const WORDS: &[ValType] = &[ValType::I32; 8];

// === impl ValType ===

impl ValType {
    const fn as_str(self) -> &'static str {
        match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::FuncRef => "funcref",
            Self::ExternRef => "externref",
            Self::Reference => "ref",
        }
    }
}

/// A Rust integer that goes over the ABI as one Wasm value.
pub trait AbiValue {
    /// The Wasm type.
    const TYPE: ValType;
}

impl AbiValue for u32 {
    const TYPE: ValType = ValType::I32;
}

impl AbiValue for u64 {
    const TYPE: ValType = ValType::I64;
}

/// The Rust result of a host function: nothing or one value.
pub trait AbiResult {
    /// The Wasm types.
    const TYPES: &'static [ValType];
}

impl AbiResult for () {
    const TYPES: &'static [ValType] = &[];
}

impl AbiResult for u32 {
    const TYPES: &'static [ValType] = &[ValType::I32];
}

// === impl Signature ===

impl Signature {
    /// A function of some `i32` (at most 8; more count as 8), with or without an `i32` result.
    #[must_use]
    pub fn words(parameters: usize, result: bool) -> Self {
        let words = |count: usize| Cow::Borrowed(WORDS.get(..count).unwrap_or(WORDS));
        Self { parameters: words(parameters), results: words(usize::from(result)) }
    }

    /// A function of fixed types.
    #[must_use]
    pub const fn fixed(parameters: &'static [ValType], results: &'static [ValType]) -> Self {
        Self { parameters: Cow::Borrowed(parameters), results: Cow::Borrowed(results) }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_types(f, &self.parameters)?;
        f.write_str(" -> ")?;
        write_types(f, &self.results)
    }
}

fn write_types(f: &mut fmt::Formatter<'_>, types: &[ValType]) -> fmt::Result {
    let Some((first, rest)) = types.split_first() else { return f.write_str("void") };
    f.write_str(first.as_str())?;
    rest.iter().try_for_each(|ty| write!(f, " {}", ty.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_envoys() {
        assert_eq!(Signature::words(3, true).to_string(), "i32 i32 i32 -> i32");
        assert_eq!(Signature::words(0, false).to_string(), "void -> void");
        let mixed = Signature::fixed(&[ValType::I32, ValType::I64], &[ValType::F64]);
        assert_eq!(mixed.to_string(), "i32 i64 -> f64");
    }

    #[test]
    fn equality_is_by_content() {
        let owned = Signature {
            parameters: Cow::Owned(vec![ValType::I32, ValType::I32]),
            results: Cow::Owned(vec![ValType::I32]),
        };
        assert_eq!(owned, Signature::words(2, true));
        assert_ne!(owned, Signature::words(2, false));
    }
}
