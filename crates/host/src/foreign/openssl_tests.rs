//! What is signed here is verified by OpenSSL, and the other way round. Its command has to be there.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;

use super::messages::{SignArguments, SignResult, VerifySignatureArguments, VerifySignatureResult};
use super::{sign, verify_signature};

const HASHES: [&str; 5] = ["sha1", "sha224", "sha256", "sha384", "sha512"];
const TEXT: &[u8] = b"what is signed";

/// A folder of a test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sandgate-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("text"), TEXT).unwrap();
        Self(path)
    }

    fn openssl(&self, arguments: &[&str]) -> bool {
        Command::new("openssl").args(arguments).current_dir(&self.0).output().unwrap().status.success()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(Path::new(&self.0).join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn signed(hash: &str, der: Vec<u8>, pem: Vec<u8>) -> SignResult {
    let arguments = SignArguments {
        hash_function: hash.to_owned(),
        private_key: der,
        text: TEXT.to_vec(),
        private_key_pem: String::from_utf8(pem).unwrap(),
    };
    let mut out = Vec::new();
    sign(&arguments.encode_to_vec(), &mut out).unwrap();
    SignResult::decode(&*out).unwrap()
}

fn verifies(hash: &str, key: &[u8], signature: Vec<u8>) -> bool {
    let arguments = VerifySignatureArguments {
        hash_function: hash.to_owned(),
        public_key: key.to_vec(),
        signature,
        text: TEXT.to_vec(),
        public_key_pem: String::new(),
    };
    let mut out = Vec::new();
    verify_signature(&arguments.encode_to_vec(), &mut out).unwrap();
    VerifySignatureResult::decode(&*out).unwrap().result
}

/// With a key that OpenSSL makes.
fn both_verify(name: &str, algorithm: &str, option: &str) {
    let folder = Folder::new(name);
    assert!(folder.openssl(&["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", "key.pem"]));
    assert!(folder.openssl(&["pkey", "-in", "key.pem", "-traditional", "-out", "traditional.pem"]));
    assert!(folder.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.p8"]));
    assert!(folder.openssl(&["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der"]));
    assert!(folder.openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]));
    let public = folder.read("public.der");
    for hash in HASHES {
        let keys = [
            (folder.read("key.p8"), Vec::new()),
            (Vec::new(), folder.read("key.pem")),
            (Vec::new(), folder.read("traditional.pem")),
        ];
        for (der, pem) in keys {
            let result = signed(hash, der, pem);
            assert_eq!(result.error, "", "{name} {hash}");
            std::fs::write(folder.0.join("signature"), &result.signature).unwrap();
            let digest = format!("-{hash}");
            let verify = ["dgst", &digest, "-verify", "public.pem", "-signature", "signature", "text"];
            assert!(folder.openssl(&verify), "{name} {hash}");
            assert!(verifies(hash, &public, result.signature));
        }
        let digest = format!("-{hash}");
        assert!(folder.openssl(&["dgst", &digest, "-sign", "key.pem", "-out", "theirs", "text"]));
        let theirs = folder.read("theirs");
        assert!(verifies(hash, &public, theirs.clone()), "{name} {hash}");
        let mut flipped = theirs;
        *flipped.last_mut().unwrap() ^= 1;
        assert!(!verifies(hash, &public, flipped), "{name} {hash}");
    }
}

#[test]
fn rsa_1024() {
    both_verify("rsa-1024", "RSA", "rsa_keygen_bits:1024");
}

#[test]
fn rsa_1025() {
    both_verify("rsa-1025", "RSA", "rsa_keygen_bits:1025");
}

#[test]
fn rsa_2048() {
    both_verify("rsa-2048", "RSA", "rsa_keygen_bits:2048");
}

#[test]
fn p_256() {
    both_verify("p-256", "EC", "ec_paramgen_curve:P-256");
}

#[test]
fn p_384() {
    both_verify("p-384", "EC", "ec_paramgen_curve:P-384");
}

#[test]
fn p_521() {
    both_verify("p-521", "EC", "ec_paramgen_curve:P-521");
}

/// A hash that does not fit, a key that is too large for what is slow, numbers that go with no key.
#[test]
fn keys_that_do_not_sign() {
    let folder = Folder::new("refused");
    let make = |bits: &str| {
        let option = format!("rsa_keygen_bits:{bits}");
        assert!(folder.openssl(&[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            &option,
            "-outform",
            "DER",
            "-out",
            "key"
        ]));
        assert!(folder.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "key", "-outform", "DER", "-out", "key.p8"]));
        folder.read("key.p8")
    };
    let small = make("512");
    assert!(signed("sha256", small.clone(), Vec::new()).result);
    assert_eq!(signed("sha512", small.clone(), Vec::new()).error, "Failed to create signature.");
    // The coefficient is the last number.
    let mut broken = small;
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(signed("sha256", broken, Vec::new()).error, "Failed to create signature.");
    let large = make("4608");
    assert!(signed("sha256", large.clone(), Vec::new()).result);
    assert!(signed("sha1", large, Vec::new()).error.contains("not supported"));
}
