//! Stats of TLS, of listeners as of clusters.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{scope, scope_name};
use crate::blocks::Counted;
use crate::{Counter, Sample, StatKind, StatsStore};

scope!(
    /// `<scope>ssl.`; the scope's name ends with a dot.
    SslStats, "{}ssl.",
    counters {
        /// Handshakes that failed, but for the peer's certificate or its going away.
        connection_error,
        /// Handshakes done.
        handshake,
        /// … with a session of before.
        session_reused,
        /// … without a certificate of the peer.
        no_certificate,
        /// Peers without the certificate that is required.
        fail_verify_no_cert,
        /// Certificates that could not be verified.
        fail_verify_error,
        /// Certificates for other names.
        fail_verify_san,
        /// Certificates that are not pinned.
        fail_verify_cert_hash,
        /// OCSP responses that could not be used.
        ocsp_staple_failed,
        /// Certificates sent without an OCSP response.
        ocsp_staple_omitted,
        /// Clients that asked for an OCSP response.
        ocsp_staple_requests,
        /// OCSP responses sent.
        ocsp_staple_responses,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `<scope>` of what makes TLS contexts, such as `cluster.<name>.client_ssl_socket_factory.`.
    SslSocketFactoryStats, "{}",
    counters {
        /// Contexts made anew, because a secret had changed.
        ssl_context_update_by_sds,
        /// Connections refused because a secret was not there yet.
        downstream_context_secrets_not_ready,
        /// Connections to hosts given up because a secret was not there yet.
        upstream_context_secrets_not_ready,
    }
    gauges {}
    histograms {}
);

scope!(
    /// `sds.<name>.`, beside what every subscription has; the scope's name ends with a dot.
    SdsStats, "{}",
    counters {
        /// Times when files that the secret names had changed and could not be used.
        key_rotation_failed,
    }
    gauges {}
    histograms {}
);

/// What handshakes agreed on: `<scope>ssl.<group>.<name>`, such as `ssl.versions.TLSv1.3`. A name exists once it has counted.
pub struct SslNames {
    block: Arc<SslNamesBlock>,
    _one_writer: PhantomData<Cell<()>>,
}

/// What one writer has counted.
pub(crate) struct SslNamesBlock {
    prefix: String,
    counts: [AtomicU64; NAMES.len()],
}

/// Names by group. What is none of them is not counted.
const NAMES: [(&str, &str); 29] = [
    ("versions", "TLSv1.2"),
    ("versions", "TLSv1.3"),
    ("ciphers", "TLS_AES_128_GCM_SHA256"),
    ("ciphers", "TLS_AES_256_GCM_SHA384"),
    ("ciphers", "TLS_CHACHA20_POLY1305_SHA256"),
    ("ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("ciphers", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("ciphers", "ECDHE-RSA-AES256-GCM-SHA384"),
    ("ciphers", "ECDHE-RSA-CHACHA20-POLY1305"),
    ("curves", "X25519"),
    ("curves", "P-256"),
    ("curves", "P-384"),
    ("curves", "P-521"),
    ("curves", "X25519MLKEM768"),
    ("sigalgs", "rsa_pkcs1_sha1"),
    ("sigalgs", "rsa_pkcs1_sha256"),
    ("sigalgs", "rsa_pkcs1_sha384"),
    ("sigalgs", "rsa_pkcs1_sha512"),
    ("sigalgs", "rsa_pss_rsae_sha256"),
    ("sigalgs", "rsa_pss_rsae_sha384"),
    ("sigalgs", "rsa_pss_rsae_sha512"),
    ("sigalgs", "ecdsa_sha1"),
    ("sigalgs", "ecdsa_secp256r1_sha256"),
    ("sigalgs", "ecdsa_secp384r1_sha384"),
    ("sigalgs", "ecdsa_secp521r1_sha512"),
    ("sigalgs", "ed25519"),
    ("sigalgs", "unknown"),
];

// === impl SslNames ===

impl SslNames {
    /// This writer's values, registered in `store`. `scope` ends with a dot.
    #[must_use]
    pub fn new(store: &StatsStore, scope: &str) -> Self {
        let prefix = format!("{}ssl.", scope_name(scope));
        let block = Arc::new(SslNamesBlock { prefix, counts: std::array::from_fn(|_| AtomicU64::new(0)) });
        store.ssl_names.register(&block);
        Self { block, _one_writer: PhantomData }
    }

    /// Counts a name of `versions`, `ciphers`, `curves` or `sigalgs`.
    pub fn count(&self, group: &str, name: &str) {
        let found = NAMES.iter().zip(&self.block.counts).find(|(known, _)| **known == (group, name));
        Counter::new(found.map(|(_, count)| count)).inc();
    }
}

// === impl SslNamesBlock ===

impl Counted for SslNamesBlock {
    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn layout(&self) -> usize {
        0
    }

    fn absorb(&self, other: &Self) {
        for (own, others) in self.counts.iter().zip(&other.counts) {
            own.fetch_add(others.load(Relaxed), Relaxed);
        }
    }

    fn read(&self, add: &mut dyn FnMut(&str, Sample)) {
        for ((group, name), count) in NAMES.iter().zip(&self.counts) {
            let value = count.load(Relaxed);
            if value != 0 {
                add(&format!("{}{group}.{name}", self.prefix), Sample { kind: StatKind::Counter, value, used: true });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_exist_once_they_have_counted() {
        let store = StatsStore::new();
        let (one, other) = (SslNames::new(&store, "listener.[::1]_80."), SslNames::new(&store, "listener.[::1]_80."));
        assert!(store.snapshot().is_empty());
        one.count("versions", "TLSv1.3");
        other.count("versions", "TLSv1.3");
        other.count("ciphers", "NULL");
        let all = store.snapshot();
        let shown = all.iter().map(|(name, sample)| (&**name, sample.value)).collect::<Vec<_>>();
        assert_eq!(shown, [("listener.[__1]_80.ssl.versions.TLSv1.3", 2)]);
    }
}
