//! Values that we make and that whoever holds them may use: sessions, codes, tokens, client secrets.
//!
//! 256 random bits behind a prefix that secret scanners recognise. Only their SHA-256 is stored:
//! at that entropy a slow hash would protect nothing more.

use aws_lc_rs::{hkdf, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use secrecy::{ExposeSecret, SecretString};

/// Fills an array with the system's cryptographic randomness: the one source of it.
///
/// # Panics
/// When the operating system has no randomness to give; going on would hand out guessable secrets.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "nothing safe can be done without randomness")]
    rand::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

/// `prefix` and 256 random bits as base64url.
#[must_use]
pub fn generate(prefix: &str) -> SecretString {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random::<32>())).into()
}

/// SHA-256 of a secret: what is stored, looked up and compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct SecretHash(Vec<u8>);

impl SecretHash {
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).to_vec())
    }

    /// Constant-time comparison with the hash of `secret`.
    #[must_use]
    pub fn matches(&self, secret: &str) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }

    #[must_use]
    pub fn to_base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }

    /// Reads what [`SecretHash::to_base64url`] wrote; `None` unless it is 32 bytes.
    #[must_use]
    pub fn from_base64url(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 32).map(Self)
    }
}

/// HKDF-SHA256 (RFC 5869): a key for one purpose, named by `label`, out of a longer-lived secret.
///
/// # Panics
/// Never: 32 bytes are within HKDF's output limit.
#[must_use]
pub fn derive(secret: &[u8], label: &str) -> [u8; 32] {
    let mut key = [0; 32];
    #[expect(clippy::expect_used, reason = "32 bytes are within HKDF-SHA256's limit of 8160")]
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"latchkey")
        .extract(secret)
        .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .expect("HKDF-SHA256 yields 32 bytes");
    key
}

/// Constant-time equality of two short texts.
#[must_use]
pub fn equal(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_match_only_their_own_hash() {
        let (a, b) = (generate("lkc_"), generate("lkc_"));
        assert_eq!(a.expose_secret().len(), 4 + 43);
        let hash = SecretHash::of(a.expose_secret());
        assert!(hash.matches(a.expose_secret()));
        assert!(!hash.matches(b.expose_secret()));
        assert_eq!(SecretHash::from_base64url(&hash.to_base64url()), Some(hash));
    }

    #[test]
    fn a_label_separates_keys() {
        assert_ne!(derive(b"master", "a"), derive(b"master", "b"));
        assert_eq!(derive(b"master", "a"), derive(b"master", "a"));
    }
}
