//! One key: RSA keys are made and read by `rsa`, all are parsed once and used through aws-lc-rs (constant time).

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use ::rsa::{
    RsaPrivateKey,
    pkcs1::EncodeRsaPrivateKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding, SecretDocument},
};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaEncoding,
    },
};
use jsonwebtoken::{
    DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, aws_lc},
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
    signature::{Error as SignatureError, Signer},
};
use zeroize::Zeroizing;

use super::Algorithm;

const BITS: usize = 2048;
/// RFC 7468 §10.
const LABEL: &str = "PRIVATE KEY";

/// A key that can sign. Its `Debug` shows the kid only.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    pub algorithm: Algorithm,
    /// The public half, as published.
    pub jwk: Jwk,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    pair: Arc<Pair>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Why a PEM file is not a key; says nothing of its content.
#[derive(Debug, thiserror::Error)]
#[error("is not a key for this algorithm in PKCS#8 PEM")]
pub struct NotAKey;

impl SigningKey {
    /// Makes a key; returns it as PKCS#8 PEM. An RSA key takes a tenth of a second of CPU.
    pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<String>, NotAKey> {
        let random = SystemRandom::new();
        let der = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => {
                let key = RsaPrivateKey::new(&mut rand08::rngs::OsRng, BITS).map_err(|_| NotAKey)?;
                key.to_pkcs8_der().map_err(|_| NotAKey)?
            }
            Algorithm::ES256 => {
                let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                secret_document(document.map_err(|_| NotAKey)?.as_ref())?
            }
            Algorithm::EdDSA => {
                // Version 1, without the public half: the form that jsonwebtoken can take apart.
                let document = Ed25519KeyPair::generate_pkcs8v1(&random);
                secret_document(document.map_err(|_| NotAKey)?.as_ref())?
            }
        };
        der.to_pem(LABEL, LineEnding::LF).map_err(|_| NotAKey)
    }

    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self, NotAKey> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| NotAKey)?;
        if label != LABEL {
            return Err(NotAKey);
        }
        let pkcs8 = document.as_bytes();
        let (encoding, key) = match algorithm {
            Algorithm::RS256 => rsa(pkcs8, &RSA_PKCS1_SHA256)?,
            Algorithm::PS256 => rsa(pkcs8, &RSA_PSS_SHA256)?,
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
                (EncodingKey::from_ec_der(pkcs8), Key::Ec(pair.map_err(|_| NotAKey)?))
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8);
                (EncodingKey::from_ed_der(pkcs8), Key::Ed(pair.map_err(|_| NotAKey)?))
            }
        };
        let pair = Arc::new(Pair { algorithm, key });
        let known = parsed();
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(encoding.as_bytes().to_vec(), pair.clone());
        drop(known);
        let mut jwk = Jwk::from_encoding_key(&encoding, algorithm.into()).map_err(|_| NotAKey)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| NotAKey)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| NotAKey)?;
        Ok(Self { kid, algorithm, jwk, encoding, decoding, pair })
    }

    /// By this key's algorithm.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.pair.try_sign(message)
    }
}

fn secret_document(der: &[u8]) -> Result<SecretDocument, NotAKey> {
    SecretDocument::try_from(der).map_err(|_| NotAKey)
}

fn rsa(pkcs8: &[u8], encoding: &'static dyn RsaEncoding) -> Result<(EncodingKey, Key), NotAKey> {
    let key = RsaPrivateKey::from_pkcs8_der(pkcs8).map_err(|_| NotAKey)?;
    let der = key.to_pkcs1_der().map_err(|_| NotAKey)?;
    let pair = rsa::KeyPair::from_der(der.as_bytes()).map_err(|_| NotAKey)?;
    Ok((EncodingKey::from_rsa_der(der.as_bytes()), Key::Rsa(pair, encoding)))
}

/// What signs.
struct Pair {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Rsa(rsa::KeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer<Vec<u8>> for Pair {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(|_| SignatureError::new())?;
                Ok(signature)
            }
            Key::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| SignatureError::new())?;
                Ok(signature.as_ref().to_vec())
            }
            Key::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// Pairs by the DER that is all that jsonwebtoken hands to a signer.
fn parsed() -> &'static RwLock<HashMap<Vec<u8>, Arc<Pair>>> {
    static PARSED: OnceLock<RwLock<HashMap<Vec<u8>, Arc<Pair>>>> = OnceLock::new();
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
                Some(pair) if *algorithm == pair.algorithm.into() => Ok(Box::new(Parsed(pair.clone()))),
                _ => (aws_lc::DEFAULT_PROVIDER.signer_factory)(algorithm, key),
            }
        },
        verifier_factory: aws_lc::DEFAULT_PROVIDER.verifier_factory,
        key_utils: aws_lc::DEFAULT_PROVIDER.key_utils.clone(),
    });
    // Fails when one was installed before, which then is this one.
    let _ = provider.install_default();
}

struct Parsed(Arc<Pair>);

impl Signer<Vec<u8>> for Parsed {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.0.try_sign(message)
    }
}

impl JwtSigner for Parsed {
    fn algorithm(&self) -> jsonwebtoken::Algorithm {
        self.0.algorithm.into()
    }
}
