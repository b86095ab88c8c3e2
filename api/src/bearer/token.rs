//! JWT access tokens (RFC 9068, RFC 7519) and the issuer's published keys (RFC 7517).

use std::{collections::HashSet, str::FromStr, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use moka::sync::Cache;
use oxide_auth::primitives::{
    grant::{Extensions, Grant},
    scope::Scope,
};
use serde::{Deserialize, de::IgnoredAny};
use sha2::{Digest, Sha256};

use crate::config::Config;

/// How far the issuer's clock may be ahead of ours: for `nbf` only. Expiry has no leeway.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);
/// Tokens whose check is remembered.
const REMEMBERED: u64 = 10_000;
/// A key set with more keys than this is cut off: every request searches it.
const MAX_KEYS: usize = 64;
/// OpenID Connect Core §2: `sub` has at most 255 ASCII characters. We allow other characters, not more bytes.
const MAX_SUBJECT: usize = 255;

/// Whether this names a signature algorithm whose verification needs no secret.
#[must_use]
pub(crate) fn is_asymmetric(name: &str) -> bool {
    asymmetric(name).is_some()
}

fn asymmetric(name: &str) -> Option<Algorithm> {
    Algorithm::from_str(name)
        .ok()
        .filter(|algorithm| !matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512))
}

/// What a token must say.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    token_types: Vec<String>,
}

impl Rules {
    #[must_use]
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            issuer: config.issuer.clone(),
            audience: config.audience().to_owned(),
            algorithms: config.algorithms.iter().filter_map(|name| asymmetric(name)).collect(),
            token_types: config.token_types.iter().map(|name| media_type(name)).collect(),
        }
    }
}

/// RFC 7515 §4.1.9: `application/` may be left out, and case does not count.
fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ)
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Signed by a key that is not in the set; a newer set may have it.
    UnknownKey,
    Rule(&'static str),
}

impl Refusal {
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::UnknownKey => "kid: not among the issuer's keys",
            Self::Rule(rule) => rule,
        }
    }
}

/// A token whose signature and claims are good, from `not_before` until `expires_at`.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) grant: Grant,
    not_before: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
}

impl Verified {
    fn judge(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if self.expires_at <= now {
            return Err(Refusal::Rule("exp: expired"));
        }
        if self.not_before.is_some_and(|not_before| not_before > now + LEEWAY) {
            return Err(Refusal::Rule("nbf: not yet valid"));
        }
        Ok(())
    }
}

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
        let algorithm = asymmetric(&header.alg)
            .filter(|algorithm| rules.algorithms.contains(algorithm))
            .ok_or(Refusal::Rule("alg: not accepted"))?;
        let typ = header.typ.as_deref().map_or_else(|| "none".to_owned(), media_type);
        if !rules.token_types.contains(&typ) {
            return Err(Refusal::Rule("typ: not accepted"));
        }
        if header.crit.is_some() {
            return Err(Refusal::Rule("crit: extensions are not understood"));
        }

        let key = self.find(header.kid.as_deref(), algorithm)?;
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm) {
            Ok(true) => {}
            _ => return Err(Refusal::Rule("the signature is wrong")),
        }
        let claims: Claims =
            decode(claims).ok_or(Refusal::Rule("a claim is missing or of the wrong type"))?;
        claims.verified(rules)
    }

    /// `jku`, `jwk`, `x5u` and `x5c` of a token's header are never looked at: only the issuer names keys.
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

/// Reads one part of a JWT. A member that occurs twice is an error, as RFC 7519 §4 allows.
fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: OneOrMany,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    client_id: Option<String>,
    azp: Option<String>,
    scope: Option<OneOrMany>,
    scp: Option<OneOrMany>,
    cnf: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn contains(&self, text: &str) -> bool {
        match self {
            Self::One(one) => one == text,
            Self::Many(many) => many.iter().any(|one| one == text),
        }
    }

    fn joined(self) -> String {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many.join(" "),
        }
    }
}

/// RFC 7519 §2: seconds since 1970, possibly with a fraction. Never a string.
#[derive(Deserialize)]
struct NumericDate(serde_json::Number);

impl NumericDate {
    fn time(&self) -> Result<DateTime<Utc>, Refusal> {
        self.0
            .as_f64()
            .filter(|seconds| (0.0..=253_402_300_799.0).contains(seconds))
            .and_then(|seconds| DateTime::from_timestamp_millis((seconds * 1000.0) as i64))
            .ok_or(Refusal::Rule("exp, nbf or iat: not a time"))
    }
}

impl Claims {
    fn verified(self, rules: &Rules) -> Result<Verified, Refusal> {
        if self.iss != rules.issuer {
            return Err(Refusal::Rule("iss: another issuer"));
        }
        if !self.aud.contains(&rules.audience) {
            return Err(Refusal::Rule("aud: another audience"));
        }
        if self.sub.is_empty() || self.sub.len() > MAX_SUBJECT || self.sub.contains(char::is_control) {
            return Err(Refusal::Rule("sub: empty, too long or not text"));
        }
        if self.cnf.is_some() {
            // RFC 7800: whoever presents it would have to prove that a key is theirs.
            return Err(Refusal::Rule("cnf: sender-constrained tokens cannot be checked here"));
        }
        if let Some(iat) = &self.iat {
            iat.time()?;
        }
        let scope = self.scope.or(self.scp).map(OneOrMany::joined).unwrap_or_default();
        let scope: Scope = scope.parse().map_err(|_| Refusal::Rule("scope: cannot be read"))?;
        let client_id = self.client_id.or(self.azp).unwrap_or_default();
        let redirect_uri =
            "urn:none".parse().map_err(|_| Refusal::Rule("a placeholder that is never followed"))?;
        Ok(Verified {
            // The machine reads the system's clock: `judge` decides on expiry, with ours.
            grant: Grant {
                owner_id: self.sub,
                client_id,
                scope,
                redirect_uri,
                until: DateTime::<Utc>::MAX_UTC,
                extensions: Extensions::new(),
            },
            not_before: self.nbf.map(|nbf| nbf.time()).transpose()?,
            expires_at: self.exp.time()?,
        })
    }
}
