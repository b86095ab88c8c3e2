//! The issuer's published keys (RFC 7517), and the tokens that they vouch for.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::token::{Claims, Header, Refusal, Rules, Verified, asymmetric, decode};

/// Tokens whose check is remembered.
const REMEMBERED: u64 = 10_000;
/// A key set with more keys than this is cut off: every request searches it.
const MAX_KEYS: usize = 64;

struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// The issuer's signature keys, and the tokens that they were seen to have signed: a newer set
/// forgets those, so no token outlives the key that vouches for it.
pub(crate) struct KeySet {
    keys: Vec<Key>,
    /// By SHA-256 of the whole token.
    verified: Cache<[u8; 32], Arc<Verified>>,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.kid)).finish()
    }
}

impl KeySet {
    /// Reads a JWK Set. Keys that are not for signatures, or of unknown kinds, are left out.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct JwkSet {
            keys: Vec<serde_json::Value>,
        }
        let set: JwkSet = serde_json::from_slice(json)?;
        let mut kids = HashSet::new();
        let keys = set.keys.into_iter().take(MAX_KEYS).filter_map(Key::read);
        let keys = keys.filter(|key| key.kid.is_none() || kids.insert(key.kid.clone())).collect();
        Ok(Self { keys, verified: Cache::new(REMEMBERED) })
    }

    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn verify(
        &self,
        token: &str,
        rules: &Rules,
        now: DateTime<Utc>,
    ) -> Result<Arc<Verified>, Refusal> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some(verified) = self.verified.get(&hash) {
            verified.judge(now)?;
            return Ok(verified);
        }
        let verified = Arc::new(self.check(token, rules)?);
        verified.judge(now)?;
        self.verified.insert(hash, verified.clone());
        Ok(verified)
    }

    fn check(&self, token: &str, rules: &Rules) -> Result<Verified, Refusal> {
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Rule("not a JWT"))?;
        let (header, claims) = message.split_once('.').ok_or(Refusal::Rule("not a JWT"))?;

        let header: Header = decode(header).ok_or(Refusal::Rule("the header cannot be read"))?;
        let algorithm = header.algorithm(rules)?;
        let key = self.find(header.kid.as_deref(), algorithm)?;
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm) {
            Ok(true) => {}
            _ => return Err(Refusal::Rule("the signature is wrong")),
        }
        let claims: Claims =
            decode(claims).ok_or(Refusal::Rule("a claim is missing or of the wrong type"))?;
        claims.verified(rules)
    }

    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, Refusal> {
        let found = match kid {
            Some(_) => self.keys.iter().find(|key| key.kid.as_deref() == kid),
            None => {
                let mut fitting = self.keys.iter().filter(|key| key.algorithms.contains(&algorithm));
                match (fitting.next(), fitting.next()) {
                    (Some(only), None) => Some(only),
                    _ => return Err(Refusal::Rule("kid: absent, and more than one key fits, or none")),
                }
            }
        };
        let key = found.ok_or(Refusal::UnknownKey)?;
        if !key.algorithms.contains(&algorithm) {
            return Err(Refusal::Rule("alg: not the key's"));
        }
        Ok(&key.key)
    }
}

impl Key {
    fn read(json: serde_json::Value) -> Option<Self> {
        // RFC 7517 §9.2: whoever publishes a private or symmetric key has no key any more.
        if json.get("d").is_some() || json.get("k").is_some() {
            tracing::warn!("the issuer publishes a secret key: it is not used");
            return None;
        }
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        if common.key_operations.as_ref().is_some_and(|uses| !uses.contains(&KeyOperations::Verify)) {
            return None;
        }
        let fitting: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                &[Algorithm::ES256]
            }
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
                &[Algorithm::ES384]
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                &[Algorithm::EdDSA]
            }
            _ => return None,
        };
        let declared = common.key_algorithm.map(|algorithm| algorithm.to_string());
        let declared = declared.as_deref().map(asymmetric);
        let algorithms: Vec<Algorithm> = match declared {
            None => fitting.to_vec(),
            Some(declared) => fitting.iter().copied().filter(|fits| Some(*fits) == declared).collect(),
        };
        if algorithms.is_empty() {
            return None;
        }
        Some(Self { kid: common.key_id.clone(), algorithms, key: DecodingKey::from_jwk(&jwk).ok()? })
    }
}
