//! Why a handshake failed, in Envoy's words.

use std::io;

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use crate::outcome::{Outcome, VerifyFailure};

/// A handshake, or a connection after it, that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `%…_TRANSPORT_FAILURE_REASON%`; empty if the peer simply went away.
    pub reason: String,
    /// What Envoy counts.
    pub kind: FailureKind,
}

/// What Envoy counts a failure as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Nothing: the peer went away.
    Closed,
    /// `ssl.connection_error`.
    ConnectionError,
    /// `ssl.fail_verify_no_cert`.
    NoCertificate,
    /// `ssl.fail_verify_error`.
    VerifyError,
    /// `ssl.fail_verify_san`.
    VerifySan,
    /// `ssl.fail_verify_cert_hash`.
    VerifyHash,
}

/// Number and name of an error in BoringSSL.
type Reason = (u32, &'static str);

/// BoringSSL's library number of TLS, where it stands in an error's code.
const SSL_LIBRARY: u32 = 16 << 24;
/// What is added to an alert that has come.
const ALERT: u32 = 1000;

// === impl Failure ===

impl Failure {
    /// Of what rustls, or the socket under it, has said, and what the check of the peer's certificate has found.
    #[must_use]
    pub fn new(error: &io::Error, outcome: Option<&Outcome>) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            Some(error) => Self::of_tls(error, outcome),
            None => Self { reason: String::new(), kind: FailureKind::Closed },
        }
    }

    /// Of what rustls has said.
    #[must_use]
    pub fn of_tls(error: &Error, outcome: Option<&Outcome>) -> Self {
        let kind = match error {
            Error::NoCertificatesPresented => FailureKind::NoCertificate,
            Error::InvalidCertificate(_) => match outcome.and_then(|outcome| outcome.failure) {
                Some(VerifyFailure::Error) => FailureKind::VerifyError,
                Some(VerifyFailure::San) => FailureKind::VerifySan,
                Some(VerifyFailure::Hash) => FailureKind::VerifyHash,
                None => FailureKind::ConnectionError,
            },
            _ => FailureKind::ConnectionError,
        };
        let (code, name) = reason(error);
        let mut reason = format!("TLS_error:|{}:SSL routines:OPENSSL_internal:{name}", SSL_LIBRARY + code);
        let details = match error {
            Error::NoCertificatesPresented => Some("peer did not provide required client certificate"),
            _ => outcome.and_then(|outcome| outcome.details.as_deref()),
        };
        if let Some(details) = details {
            reason.push(':');
            reason.push_str(details);
        }
        reason.push_str(":TLS_error_end");
        Self { reason, kind }
    }

    /// A client without the name that is required.
    #[must_use]
    pub fn rejected() -> Self {
        let code = SSL_LIBRARY + 130;
        let reason = format!("TLS_error:|{code}:SSL routines:OPENSSL_internal:CONNECTION_REJECTED:TLS_error_end");
        Self { reason, kind: FailureKind::ConnectionError }
    }
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::AlertReceived(alert) => alert_reason(*alert),
        Error::InvalidCertificate(rustls::CertificateError::BadSignature) => (114, "BAD_SIGNATURE"),
        Error::InvalidCertificate(_) => (125, "CERTIFICATE_VERIFY_FAILED"),
        Error::NoCertificatesPresented => (192, "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            (247, "WRONG_VERSION_NUMBER")
        }
        Error::InvalidMessage(_) => (137, "DECODE_ERROR"),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => (223, "UNEXPECTED_MESSAGE"),
        Error::DecryptError => (139, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
        Error::PeerSentOversizedRecord => (136, "DATA_LENGTH_TOO_LONG"),
        Error::NoApplicationProtocol => (307, "NO_APPLICATION_PROTOCOL"),
        Error::PeerIncompatible(incompatible) => match incompatible {
            PeerIncompatible::NoCipherSuitesInCommon => (184, "NO_SHARED_CIPHER"),
            PeerIncompatible::NoKxGroupsInCommon => (266, "NO_SHARED_GROUP"),
            PeerIncompatible::NoSignatureSchemesInCommon => (253, "NO_COMMON_SIGNATURE_ALGORITHMS"),
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13 => (240, "UNSUPPORTED_PROTOCOL"),
            _ => (150, "HANDSHAKE_FAILURE_ON_CLIENT_HELLO"),
        },
        Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol) => (259, "INVALID_ALPN_PROTOCOL"),
        _ => (137, "DECODE_ERROR"),
    }
}

fn alert_reason(alert: AlertDescription) -> Reason {
    let name = match alert {
        AlertDescription::CloseNotify => "SSLV3_ALERT_CLOSE_NOTIFY",
        AlertDescription::UnexpectedMessage => "SSLV3_ALERT_UNEXPECTED_MESSAGE",
        AlertDescription::BadRecordMac => "SSLV3_ALERT_BAD_RECORD_MAC",
        AlertDescription::DecryptionFailed => "TLSV1_ALERT_DECRYPTION_FAILED",
        AlertDescription::RecordOverflow => "TLSV1_ALERT_RECORD_OVERFLOW",
        AlertDescription::HandshakeFailure => "SSLV3_ALERT_HANDSHAKE_FAILURE",
        AlertDescription::NoCertificate => "SSLV3_ALERT_NO_CERTIFICATE",
        AlertDescription::BadCertificate => "SSLV3_ALERT_BAD_CERTIFICATE",
        AlertDescription::UnsupportedCertificate => "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        AlertDescription::CertificateRevoked => "SSLV3_ALERT_CERTIFICATE_REVOKED",
        AlertDescription::CertificateExpired => "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        AlertDescription::CertificateUnknown => "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        AlertDescription::IllegalParameter => "SSLV3_ALERT_ILLEGAL_PARAMETER",
        AlertDescription::UnknownCA => "TLSV1_ALERT_UNKNOWN_CA",
        AlertDescription::AccessDenied => "TLSV1_ALERT_ACCESS_DENIED",
        AlertDescription::DecodeError => "TLSV1_ALERT_DECODE_ERROR",
        AlertDescription::DecryptError => "TLSV1_ALERT_DECRYPT_ERROR",
        AlertDescription::ExportRestriction => "TLSV1_ALERT_EXPORT_RESTRICTION",
        AlertDescription::ProtocolVersion => "TLSV1_ALERT_PROTOCOL_VERSION",
        AlertDescription::InsufficientSecurity => "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        AlertDescription::InternalError => "TLSV1_ALERT_INTERNAL_ERROR",
        AlertDescription::InappropriateFallback => "TLSV1_ALERT_INAPPROPRIATE_FALLBACK",
        AlertDescription::UserCanceled => "TLSV1_ALERT_USER_CANCELLED",
        AlertDescription::NoRenegotiation => "TLSV1_ALERT_NO_RENEGOTIATION",
        AlertDescription::UnsupportedExtension => "TLSV1_ALERT_UNSUPPORTED_EXTENSION",
        AlertDescription::UnrecognisedName => "TLSV1_ALERT_UNRECOGNIZED_NAME",
        AlertDescription::UnknownPSKIdentity => "TLSV1_ALERT_UNKNOWN_PSK_IDENTITY",
        AlertDescription::CertificateRequired => "TLSV1_ALERT_CERTIFICATE_REQUIRED",
        AlertDescription::NoApplicationProtocol => "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
        _ => "BAD_ALERT",
    };
    (ALERT + u32::from(u8::from(alert)), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_boringssls() {
        let alert = Failure::of_tls(&Error::AlertReceived(AlertDescription::UnknownCA), None);
        assert_eq!(
            alert.reason,
            "TLS_error:|268436504:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA:TLS_error_end"
        );
        let outcome = Outcome {
            failure: Some(VerifyFailure::Hash),
            details: Some("verify cert failed: cert hash and spki".into()),
            ..Outcome::default()
        };
        let refused = Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let refused = Failure::of_tls(&refused, Some(&outcome));
        assert_eq!(refused.kind, FailureKind::VerifyHash);
        assert_eq!(
            refused.reason,
            "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: cert hash and spki:TLS_error_end"
        );
        let gone = Failure::new(&io::ErrorKind::UnexpectedEof.into(), None);
        assert_eq!((gone.kind, &*gone.reason), (FailureKind::Closed, ""));
    }
}
