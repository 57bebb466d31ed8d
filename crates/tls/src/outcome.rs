//! What the check of a peer's certificate has found.
//!
//! rustls asks a verifier that all connections of a context share, and tells of its answer only an error's kind. A connection's
//! task calls [`clear`] (or [`restore`]) before it lets a handshake go on and [`take`] after it: between them no other connection of the thread
//! does anything.

use std::cell::Cell;

/// What became of a peer's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// It was checked against what the configuration asks for, and not merely looked at.
    pub validated: bool,
    /// Which of Envoy's counters counts the failure, if there was one (an untrusted certificate may be accepted after one).
    pub failure: Option<VerifyFailure>,
    /// Why the peer is refused, in Envoy's words.
    pub details: Option<String>,
    /// The scheme of the peer's signature.
    pub scheme: Option<u16>,
}

/// A kind of failure that Envoy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyFailure {
    /// `fail_verify_error`: no chain to something trusted, or a bad one.
    Error,
    /// `fail_verify_san`: none of the names is wanted.
    San,
    /// `fail_verify_cert_hash`: none of the pins fits.
    Hash,
}

thread_local! {
    static LAST: Cell<Option<Outcome>> = const { Cell::new(None) };
}

/// Forgets what was found before.
pub fn clear() {
    LAST.set(None);
}

/// Takes up again what was found of this connection before, so that what is found now adds to it.
pub fn restore(found: Option<Outcome>) {
    LAST.set(found);
}

/// What was found since [`clear`] or [`restore`], if a certificate was checked.
#[must_use]
pub fn take() -> Option<Outcome> {
    LAST.take()
}

/// Notes what a check has found.
pub(crate) fn note(change: impl FnOnce(&mut Outcome)) {
    let mut outcome = LAST.take().unwrap_or_default();
    change(&mut outcome);
    LAST.set(Some(outcome));
}
