//! One RSA key: made and read by `rsa`, parsed once, used through aws-lc-rs (constant time).

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use aws_lc_rs::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, aws_lc},
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
    signature::{Error as SignatureError, Signer},
};
use rsa::{
    RsaPrivateKey,
    pkcs1::EncodeRsaPrivateKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding},
};
use zeroize::Zeroizing;

const BITS: usize = 2048;

/// A key that can sign. Its `Debug` shows the kid only.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    /// The public half, as published.
    pub jwk: Jwk,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    pair: Arc<KeyPair>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Why a PEM file is not a key; says nothing of its content.
#[derive(Debug, thiserror::Error)]
#[error("is not an RSA key of 2048 to 4096 bits in PKCS#8 PEM")]
pub struct NotAKey;

impl SigningKey {
    /// Makes a key; returns it as PKCS#8 PEM. Takes a tenth of a second of CPU.
    pub fn generate() -> Result<Zeroizing<String>, NotAKey> {
        let key = RsaPrivateKey::new(&mut rand08::rngs::OsRng, BITS).map_err(|_| NotAKey)?;
        key.to_pkcs8_pem(LineEnding::LF).map_err(|_| NotAKey)
    }

    pub fn from_pem(pem: &str) -> Result<Self, NotAKey> {
        let key = RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| NotAKey)?;
        let der = key.to_pkcs1_der().map_err(|_| NotAKey)?;
        let pair = Arc::new(KeyPair::from_der(der.as_bytes()).map_err(|_| NotAKey)?);
        let encoding = EncodingKey::from_rsa_der(der.as_bytes());
        parsed()
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(der.as_bytes().to_vec(), pair.clone());
        let mut jwk = Jwk::from_encoding_key(&encoding, Algorithm::RS256).map_err(|_| NotAKey)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| NotAKey)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| NotAKey)?;
        Ok(Self { kid, jwk, encoding, decoding, pair })
    }

    /// RS256 over `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        rs256(&self.pair, message)
    }
}

fn rs256(pair: &KeyPair, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| SignatureError::new())?;
    Ok(signature)
}

/// Key pairs by their PKCS#1 DER, which is all that jsonwebtoken hands to a signer.
fn parsed() -> &'static RwLock<HashMap<Vec<u8>, Arc<KeyPair>>> {
    static PARSED: OnceLock<RwLock<HashMap<Vec<u8>, Arc<KeyPair>>>> = OnceLock::new();
    PARSED.get_or_init(|| {
        install_provider();
        RwLock::default()
    })
}

/// jsonwebtoken parses the private key on every `encode`, which costs more than signing. With this
/// provider it signs with the pair that was parsed when the key was loaded: 2.5 times as fast.
fn install_provider() {
    static PROVIDER: OnceLock<CryptoProvider> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| CryptoProvider {
        signer_factory: |algorithm, key| {
            let pairs = parsed().read().unwrap_or_else(PoisonError::into_inner);
            match pairs.get(key.as_bytes()) {
                Some(pair) if *algorithm == Algorithm::RS256 => Ok(Box::new(Rs256(pair.clone()))),
                _ => (aws_lc::DEFAULT_PROVIDER.signer_factory)(algorithm, key),
            }
        },
        verifier_factory: aws_lc::DEFAULT_PROVIDER.verifier_factory,
        key_utils: aws_lc::DEFAULT_PROVIDER.key_utils.clone(),
    });
    // Fails when one was installed before, which then is this one.
    let _ = provider.install_default();
}

struct Rs256(Arc<KeyPair>);

impl Signer<Vec<u8>> for Rs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        rs256(&self.0, message)
    }
}

impl JwtSigner for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
