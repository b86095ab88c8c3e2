//! Signatures of others: JWS in compact form (RFC 7515), and the public keys (RFC 7517) that they are checked with.
//!
//! No header ever leads to a key: callers say which keys they trust before they know what was signed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
pub use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, PublicKeyUse},
};
use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};
use serde_json::Value;

/// What is accepted, by the names of RFC 7518 §3.1, RFC 8037 §3.1 and RFC 9864 §2.2. Never `none`, nothing symmetric.
pub const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("EdDSA", Algorithm::EdDSA),
    ("Ed25519", Algorithm::EdDSA),
];

/// RFC 7515 §4.1. `jku`, `x5u` and the like are not even read.
#[derive(Debug, Deserialize)]
pub struct Header {
    pub alg: String,
    pub typ: Option<String>,
    pub kid: Option<String>,
    /// For DPoP proofs only, which are about the key that they bring.
    pub jwk: Option<Value>,
    crit: Option<IgnoredAny>,
}

/// What `typ` says, without what may be left out (RFC 7515 §4.1.9), in lower case.
#[must_use]
pub fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
}

/// A JWS that was taken apart and proves nothing yet.
#[derive(Debug)]
pub struct Jws<'a> {
    pub header: Header,
    payload: &'a str,
    message: &'a str,
    signature: &'a str,
    algorithm: Algorithm,
}

/// RFC 7519 §2: seconds since 1970, possibly with a fraction. Never a text.
#[derive(Clone, Debug, Deserialize)]
pub struct NumericDate(serde_json::Number);

impl NumericDate {
    /// `None` for what is no time of ours.
    #[must_use]
    pub fn time(&self) -> Option<DateTime<Utc>> {
        let seconds = self.0.as_f64().filter(|seconds| (0.0..=253_402_300_799.0).contains(seconds))?;
        DateTime::from_timestamp_millis((seconds * 1000.0) as i64)
    }
}

fn read<T: DeserializeOwned>(part: &str) -> Option<T> {
    // By way of a map: serde would take an array for a struct.
    let members: serde_json::Map<String, Value> =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    serde_json::from_value(members.into()).ok()
}

/// The claims of a JWT. Proves nothing.
#[must_use]
pub fn claimed<T: DeserializeOwned>(jwt: &str) -> Option<T> {
    read(jwt.split('.').nth(1)?)
}

impl<'a> Jws<'a> {
    /// `Err` says what is wrong with it.
    pub fn parse(compact: &'a str) -> Result<Self, &'static str> {
        const NO_JWT: &str = "it is not a JWT";
        let (message, signature) = compact.rsplit_once('.').ok_or(NO_JWT)?;
        let (header, payload) = message.split_once('.').ok_or(NO_JWT)?;
        let header: Header = read(header).ok_or(NO_JWT)?;
        if header.crit.is_some() {
            return Err("it has critical header parameters, and we know none");
        }
        let algorithm = ALGORITHMS.iter().find(|(name, _)| *name == header.alg);
        let (_, algorithm) = *algorithm.ok_or("its alg is not one that is accepted")?;
        Ok(Self { header, payload, message, signature, algorithm })
    }

    /// The claims, when one of `keys` has signed them: the one with its `kid`, if it names one.
    pub fn verify<T: DeserializeOwned>(&self, keys: &[Jwk]) -> Result<T, &'static str> {
        let kid = &self.header.kid;
        let named = |key: &&Jwk| kid.is_none() || key.common.key_id == *kid;
        let verifies = |key: &Jwk| {
            let verified = DecodingKey::from_jwk(key).and_then(|key| {
                jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), &key, self.algorithm)
            });
            verified.unwrap_or(false)
        };
        let mut fitting = keys.iter().filter(named).filter(|key| fits(key, self.algorithm));
        if !fitting.any(verifies) {
            return Err("no trusted key has signed it as it is");
        }
        read(self.payload).ok_or("a claim is missing or of the wrong type")
    }
}

/// The keys of a JWK Set; those of unknown kinds are left out (RFC 7517 §5). `None` when it is not one.
#[must_use]
pub fn keys(jwks: &Value) -> Option<Vec<Jwk>> {
    let keys = jwks.get("keys")?.as_array()?;
    Some(keys.iter().filter_map(key).collect())
}

/// A public key; `None` when it is of an unknown kind.
#[must_use]
pub fn key(jwk: &Value) -> Option<Jwk> {
    let mut jwk = jwk.clone();
    // RFC 9864 §2.2 has another name for it, which jsonwebtoken does not know.
    if let Some(alg) = jwk.get_mut("alg").filter(|alg| *alg == "Ed25519") {
        *alg = "EdDSA".into();
    }
    serde_json::from_value(jwk).ok()
}

/// Whether a JWK holds what only its owner may know.
#[must_use]
pub fn holds_secret(jwk: &Value) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|part| jwk.get(part).is_some())
}

/// Whether signatures of any accepted kind can be checked with this key.
#[must_use]
pub fn is_usable(key: &Jwk) -> bool {
    ALGORITHMS.iter().any(|(_, algorithm)| fits(key, *algorithm))
}

/// Whether signatures of this kind can be checked with this key: RFC 7517 §4.2 and §4.4, RFC 7518 §3.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => matches!(algorithm, Algorithm::RS256 | Algorithm::PS256),
        AlgorithmParameters::EllipticCurve(key) => {
            key.curve == EllipticCurve::P256 && algorithm == Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(key) => {
            key.curve == EllipticCurve::Ed25519 && algorithm == Algorithm::EdDSA
        }
        _ => false,
    };
    let signs = key.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let declared = key.common.key_algorithm.map(|declared| declared.to_string());
    kind && signs && declared.is_none_or(|declared| declared == format!("{algorithm:?}"))
}
