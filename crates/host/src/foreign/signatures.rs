//! `verify_signature` and `sign`: results and texts are those of Envoy, the cryptography is aws-lc-rs' but for
//! small RSA keys, and RSA signatures over old hashes.

use aws_lc_rs::digest::{self, Algorithm};
use prost::Message;
use sandgate_abi::Status;

use super::messages::{SignArguments, SignResult, VerifySignatureArguments, VerifySignatureResult};
use super::private_key::PrivateKey;
use super::public_key::PublicKey;

/// The hash functions that signatures are made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Why nothing was verified or signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignatureError {
    #[error("Failed to verify digest. Error code: 0")]
    Invalid,
    /// No signatures are made with such a key and a hash.
    #[error("Failed to initialize digest verify.")]
    NoVerification,
    #[error("Invalid private key: key data is corrupted or malformed.")]
    NoSigning,
    #[error("Invalid key type: private key required for signing operation.")]
    NoPrivateKey,
    #[error("Failed to create signature.")]
    NotSigned,
    /// It would take too long.
    #[error("RSA signatures with SHA-1 or SHA-224 are not supported for keys of more than 4096 bits.")]
    NotSupported,
}

/// Verifies: the arguments and the result are serialized messages.
///
/// # Errors
/// [`Status::BadArgument`]: malformed arguments, or not exactly one key. One that cannot be read is told in the result.
pub(crate) fn verify_signature(arguments: &[u8], out: &mut Vec<u8>) -> Result<(), Status> {
    let arguments = VerifySignatureArguments::decode(arguments).map_err(|_| Status::BadArgument)?;
    let key = match (&arguments.public_key[..], &arguments.public_key_pem[..]) {
        (&[], "") => return Err(Status::BadArgument),
        (der, "") => PublicKey::from_der(der),
        (&[], pem) => PublicKey::from_pem(pem.as_bytes()),
        _ => return Err(Status::BadArgument),
    };
    let verified = match (Hash::by_name(&arguments.hash_function), key) {
        (None, _) => Err(not_supported(&arguments.hash_function)),
        (Some(_), None) => Err(SignatureError::NoVerification.to_string()),
        (Some(hash), Some(key)) => {
            key.verify(hash, &arguments.text, &arguments.signature).map_err(|error| error.to_string())
        }
    };
    let result = VerifySignatureResult { result: verified.is_ok(), error: verified.err().unwrap_or_default() };
    out.extend(result.encode_to_vec());
    Ok(())
}

/// Signs: the arguments and the result are serialized messages.
///
/// # Errors
/// [`Status::BadArgument`]: malformed arguments, or not exactly one key. One that cannot be read is told in the result.
pub(crate) fn sign(arguments: &[u8], out: &mut Vec<u8>) -> Result<(), Status> {
    let arguments = SignArguments::decode(arguments).map_err(|_| Status::BadArgument)?;
    let hash = Hash::by_name(&arguments.hash_function);
    let key = match (&arguments.private_key[..], &arguments.private_key_pem[..]) {
        (&[], "") => return Err(Status::BadArgument),
        (der, "") => PrivateKey::from_der(der, hash),
        (&[], pem) => PrivateKey::from_pem(pem.as_bytes(), hash),
        _ => return Err(Status::BadArgument),
    };
    let signed = match (hash, key) {
        (None, _) => Err(not_supported(&arguments.hash_function)),
        (Some(_), None) => Err(SignatureError::NoPrivateKey.to_string()),
        (Some(hash), Some(key)) => key.sign(hash, &arguments.text).map_err(|error| error.to_string()),
    };
    let result = match signed {
        Ok(signature) => SignResult { result: true, signature, error: String::new() },
        Err(error) => SignResult { result: false, signature: Vec::new(), error },
    };
    out.extend(result.encode_to_vec());
    Ok(())
}

fn not_supported(name: &str) -> String {
    format!("{name} is not supported.")
}

// === impl Hash ===

impl Hash {
    /// Names are those of Envoy, in any case.
    fn by_name(name: &str) -> Option<Self> {
        let all = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];
        all.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    pub(super) fn digest(self, text: &[u8]) -> digest::Digest {
        let algorithm: &'static Algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, text)
    }

    /// The digest as ECDSA takes it over a field of as many bytes as `algorithm` has: the same number, with zeros in front if
    /// it is shorter, without its end if it is longer (FIPS 186-5, section 6.4.1).
    pub(super) fn digest_for(self, text: &[u8], algorithm: &'static Algorithm) -> Option<digest::Digest> {
        let digest = self.digest(text);
        let digest = digest.as_ref();
        let len = algorithm.output_len();
        let mut fitted = vec![0; len.saturating_sub(digest.len())];
        fitted.extend_from_slice(digest.get(..len).unwrap_or(digest));
        digest::Digest::import_less_safe(&fitted, algorithm).ok()
    }
}
