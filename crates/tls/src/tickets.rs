//! Session tickets with keys from the configuration.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::crypto::GetRandomFailed;
use rustls::server::ProducesTickets;
use rustls::ticketer::TicketRotator;
use sandgate_config::model::SessionTicketKeys;
use sha2::{Digest as _, Sha256};

use crate::error::TlsError;
use crate::pem;
use crate::sessions::{fresh, stamp};

/// What Envoy's keys have: a name, a key for a MAC and one for a cipher.
const KEY_LEN: usize = 80;
const NAME_LEN: usize = 16;
/// How many seconds a key of our own seals tickets. For as long again it opens them.
const ROTATION: u32 = 6 * 60 * 60;

/// Seals tickets with the first of some keys and opens those of any.
///
/// The bytes of Envoy's three keys are all used, though for another cipher (AES-256-GCM): a ticket of Envoy's holds Envoy's own kind of
/// session, which is of no use here.
pub(crate) struct Tickets {
    keys: Vec<Key>,
    lifetime: u32,
    /// A ticket of another context is of no use: its client may have been checked in another way.
    context: Vec<u8>,
}

struct Key {
    name: [u8; NAME_LEN],
    key: LessSafeKey,
}

// === impl Tickets ===

impl Tickets {
    /// Of the keys of a configuration; `lifetime` in seconds.
    pub(crate) fn load(config: &SessionTicketKeys, lifetime: u32, context: Vec<u8>) -> Result<Self, TlsError> {
        let mut keys = Vec::new();
        for source in &config.keys {
            let (bytes, place) = pem::read(source)?;
            if bytes.len() != KEY_LEN {
                let length = bytes.len();
                return Err(TlsError::Invalid(format!(
                    "Incorrect TLS session ticket key length. Length {length}, expected length {KEY_LEN}. ({place})"
                )));
            }
            keys.push(Key::new(&bytes)?);
        }
        if keys.is_empty() {
            return Err(TlsError::invalid("no session ticket keys"));
        }
        Ok(Self { keys, lifetime, context })
    }

    /// Of keys that nobody else has, with a new one every so often: as rustls' own tickets, which cost several times as much.
    pub(crate) fn rotating() -> Result<Arc<dyn ProducesTickets>, TlsError> {
        let generate = || match Self::random(2 * ROTATION) {
            Ok(tickets) => Ok(Box::new(tickets) as Box<dyn ProducesTickets>),
            Err(_) => Err(GetRandomFailed),
        };
        Ok(Arc::new(TicketRotator::new(ROTATION, generate)?))
    }

    /// Of a key that nobody else has; it lives as long as this.
    pub(crate) fn random(lifetime: u32) -> Result<Self, TlsError> {
        let mut bytes = [0; KEY_LEN];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| TlsError::invalid("there is no randomness"))?;
        Ok(Self { keys: vec![Key::new(&bytes)?], lifetime, context: Vec::new() })
    }
}

impl Key {
    fn new(bytes: &[u8]) -> Result<Self, TlsError> {
        let fail = |_| TlsError::invalid("unusable session ticket key");
        let secret = Sha256::new().chain_update(b"sandgate session ticket").chain_update(bytes).finalize();
        let key =
            UnboundKey::new(&AES_256_GCM, &secret).map_err(|_| TlsError::invalid("unusable session ticket key"))?;
        let name = bytes
            .get(..NAME_LEN)
            .unwrap_or_default()
            .try_into()
            .map_err(|_: std::array::TryFromSliceError| fail(()))?;
        Ok(Self { name, key: LessSafeKey::new(key) })
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.lifetime
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let key = self.keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut sealed = stamp(plain);
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&self.context), &mut sealed)
            .ok()?;
        Some([&key.name[..], &nonce[..], &sealed[..]].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = cipher.split_at_checked(NAME_LEN)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let key = self.keys.iter().find(|key| key.name == name)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = sealed.to_vec();
        let length = key.key.open_in_place(nonce, Aad::from(&self.context), &mut plain).ok()?.len();
        plain.truncate(length);
        fresh(&plain, self.lifetime)
    }
}

/// Keys must not come into logs.
impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tickets").field("keys", &self.keys.len()).field("lifetime", &self.lifetime).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use sandgate_config::model::DataSource;

    use super::*;

    fn tickets(keys: &[u8], context: &str) -> Tickets {
        let keys = keys.iter().map(|byte| DataSource::Inline(vec![*byte; KEY_LEN].into())).collect();
        Tickets::load(&SessionTicketKeys { keys }, 300, context.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let old = tickets(&[1], "a");
        let ticket = old.encrypt(b"session").unwrap();
        assert_eq!(tickets(&[2, 1], "a").decrypt(&ticket).unwrap(), b"session");
        assert_eq!(tickets(&[2], "a").decrypt(&ticket), None);
        assert_eq!(tickets(&[1], "b").decrypt(&ticket), None);
        let fresh = tickets(&[2, 1], "a").encrypt(b"session").unwrap();
        assert_eq!(old.decrypt(&fresh), None);
        for end in 0..ticket.len() {
            assert_eq!(old.decrypt(&ticket[..end]), None);
        }
        let mut bent = ticket;
        *bent.last_mut().unwrap() ^= 1;
        assert_eq!(old.decrypt(&bent), None);
    }

    #[test]
    fn keys_of_our_own_open_what_they_sealed() {
        let (one, other) = (Tickets::rotating().unwrap(), Tickets::rotating().unwrap());
        let ticket = one.encrypt(b"session").unwrap();
        assert_eq!(one.decrypt(&ticket).unwrap(), b"session");
        assert_eq!(other.decrypt(&ticket), None);
        assert_eq!(one.lifetime(), 2 * ROTATION);
    }

    #[test]
    fn keys_have_80_bytes() {
        let keys = SessionTicketKeys { keys: vec![DataSource::Inline(vec![0; 79].into())] };
        let error = Tickets::load(&keys, 300, Vec::new()).unwrap_err();
        assert!(
            error.to_string().starts_with("Incorrect TLS session ticket key length. Length 79, expected length 80.")
        );
    }
}
