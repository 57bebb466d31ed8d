//! The status line.

use super::chars::is_space;
use super::error::DecodeError;
use super::event::Version;

/// A status line. The reason is not kept: Envoy writes its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct StatusLine {
    pub(super) version: Version,
    pub(super) status: u16,
}

impl StatusLine {
    /// Reads a line (without its line feed). Any white space separates words; a reason may be missing.
    pub(super) fn parse(line: &[u8]) -> Result<Self, DecodeError> {
        let mut words = line.split(|byte| is_space(*byte)).filter(|word| !word.is_empty());
        let version = words.next().and_then(Version::parse).ok_or(DecodeError::CODEC)?;
        let status = words.next().and_then(number).filter(|status| *status >= 100).ok_or(DecodeError::CODEC)?;
        Ok(Self { version, status })
    }
}

/// A plus sign may stand before the digits: Envoy's number parser takes it.
fn number(word: &[u8]) -> Option<u16> {
    let digits = word.strip_prefix(b"+").unwrap_or(word);
    digits.iter().try_fold(0u16, |number, digit| {
        number.checked_mul(10)?.checked_add(u16::from(digit.is_ascii_digit().then(|| digit - b'0')?))
    })
}
