//! A serialized listener taken apart, to see which of its filter chains another version has too.

use bytes::{Buf as _, Bytes, BytesMut};
use prost::encoding::{DecodeContext, WireType, decode_key, encode_key, skip_field};

/// `envoy.config.listener.v3.Listener.filter_chains`
const FILTER_CHAINS: u32 = 3;
/// `envoy.config.listener.v3.Listener.default_filter_chain`
const DEFAULT_FILTER_CHAIN: u32 = 25;

/// What a listener consists of. Equal parts have equal bytes, since the loader writes messages in one way only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// In the order of the configuration; the default chain, if there is one, is the last.
    pub(super) chains: Vec<Bytes>,
    /// Everything else.
    pub(super) rest: Bytes,
}

// === impl Parts ===

impl Parts {
    /// Nothing if these are not the bytes of a message.
    pub(super) fn of(serialized: &Bytes) -> Option<Self> {
        let mut bytes = serialized.clone();
        let (mut chains, mut default, mut rest) = (Vec::new(), None, BytesMut::new());
        while bytes.has_remaining() {
            let (tag, wire_type) = decode_key(&mut bytes).ok()?;
            let mut after = bytes.clone();
            skip_field(wire_type, tag, &mut after, DecodeContext::default()).ok()?;
            let field = bytes.split_to(bytes.len() - after.len());
            match (tag, wire_type) {
                (FILTER_CHAINS, WireType::LengthDelimited) => chains.push(field),
                (DEFAULT_FILTER_CHAIN, WireType::LengthDelimited) => default = Some(field),
                _ => {
                    encode_key(tag, wire_type, &mut rest);
                    rest.extend_from_slice(&field);
                }
            }
        }
        chains.extend(default);
        Some(Self { chains, rest: rest.freeze() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_told_from_the_rest() {
        // name: "l", filter_chains: ["a", "b"], default_filter_chain: "d", and a number.
        let listener = b"\x0a\x01l\x1a\x01a\x1a\x01b\x28\x05\xca\x01\x01d";
        let parts = Parts::of(&Bytes::from_static(listener));
        let chain = |name: &str| Bytes::from([b"\x01", name.as_bytes()].concat());
        let rest = Bytes::from_static(b"\x0a\x01l\x28\x05");
        assert_eq!(parts, Some(Parts { chains: vec![chain("a"), chain("b"), chain("d")], rest }));
        assert_eq!(Parts::of(&Bytes::from_static(b"\x1a\x05a")), None);
    }
}
