//! `private_key_jwt`: RFC 7523 §2.2 and §3, OpenID Connect Core §9. A client signs who it is with a key whose
//! public half it registered.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{access_token::Audience, error::TokenError};
use crate::{
    App,
    store::{ClientId, client_assertions, clients::Client},
};

/// RFC 7523 §2.2: the one `client_assertion_type`.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What assertions may be signed with, by the names of RFC 7518 §3.1, RFC 8037 and RFC 9864 §2.2.
pub const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("EdDSA", Algorithm::EdDSA),
    ("Ed25519", Algorithm::EdDSA),
];
/// Each is remembered until it expires: none may be good for longer.
const LONGEST: TimeDelta = TimeDelta::minutes(10);
/// How far the client's clock may be ahead of ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);
const MAX_JTI: usize = 255;

/// RFC 7523 §3.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: ClientId,
    sub: ClientId,
    aud: Audience,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    jti: String,
}

/// RFC 7515 §4.1. `jwk`, `jku` and the like are not even read: only the client's registration names keys.
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

fn read<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Who an assertion says that it is from. Proves nothing.
#[must_use]
pub fn claimed(assertion: &str) -> Option<String> {
    let claims: Claims = read(assertion.split('.').nth(1)?)?;
    Some(claims.sub.0)
}

/// Whether `assertion` proves that it is `client` who sent it, now and here, for the first time.
pub async fn verify(app: &App, client: &Client, assertion: &str) -> Result<(), TokenError> {
    let refuse = TokenError::InvalidClient;
    let jwks = client.jwks.as_deref().ok_or(refuse("the client has registered no keys"))?;
    let jwks = serde_json::from_str(jwks).map_err(|_| refuse("the client's keys cannot be read"))?;
    let keys = keys(&jwks).ok_or(refuse("the client's keys cannot be read"))?;
    let claims = signed(&keys, assertion).map_err(refuse)?;
    let now = app.clock.now();
    let expires_at = judge(&claims, client, &app.config.issuer, now).map_err(refuse)?;
    // §3: at most once. Last, so that nobody else can use one up.
    let mut tx = app.db.write().await?;
    let first = client_assertions::insert(&mut tx, &client.id, &claims.jti, expires_at).await?;
    tx.commit().await?;
    if first { Ok(()) } else { Err(refuse("the assertion was used before")) }
}

/// The keys of a JWK Set; those of unknown kinds are left out (RFC 7517 §5).
fn keys(jwks: &Value) -> Option<Vec<Jwk>> {
    let keys = jwks.get("keys")?.as_array()?;
    Some(keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect())
}

/// What a registered key has signed.
fn signed(keys: &[Jwk], assertion: &str) -> Result<Claims, &'static str> {
    const NO_JWT: &str = "the assertion is not a JWT";
    let (message, signature) = assertion.rsplit_once('.').ok_or(NO_JWT)?;
    let (header, claims) = message.split_once('.').ok_or(NO_JWT)?;
    let header: Header = read(header).ok_or(NO_JWT)?;
    if header.crit.is_some() {
        return Err("the assertion has critical header parameters, and we know none");
    }
    let algorithm = ALGORITHMS.iter().find(|(name, _)| *name == header.alg).map(|(_, algorithm)| *algorithm);
    let algorithm = algorithm.ok_or("the assertion's alg is not one that is accepted")?;
    let named = |key: &&Jwk| header.kid.is_none() || key.common.key_id == header.kid;
    let mut fitting = keys.iter().filter(named).filter(|key| fits(key, algorithm));
    let verifies = |key: &Jwk| {
        let key = DecodingKey::from_jwk(key);
        let verified =
            key.and_then(|key| jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm));
        verified.unwrap_or(false)
    };
    if !fitting.any(verifies) {
        return Err("no registered key has signed the assertion as it is");
    }
    read(claims).ok_or("a claim of the assertion is missing or of the wrong type")
}

/// Until when it is good.
fn judge(
    claims: &Claims,
    client: &Client,
    issuer: &str,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, &'static str> {
    if claims.iss != client.id || claims.sub != client.id {
        return Err("the assertion is another client's");
    }
    // For one server only, or another could use it here.
    let here = [issuer.to_owned(), format!("{issuer}/token")];
    if !here.iter().any(|audience| claims.aud.has(audience)) {
        return Err("the assertion is meant for another server");
    }
    let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or("exp is no time")?;
    if expires_at <= now {
        return Err("the assertion has expired");
    }
    if expires_at > now + LONGEST {
        return Err("the assertion is good for more than ten minutes");
    }
    let latest = (now + LEEWAY).timestamp();
    if claims.nbf.is_some_and(|since| since > latest) || claims.iat.is_some_and(|since| since > latest) {
        return Err("the assertion is of the future");
    }
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI {
        return Err("jti must have 1 to 255 bytes");
    }
    Ok(expires_at)
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

/// Why a JWK Set cannot be registered.
#[must_use]
pub fn refuse_registration(jwks: &Value) -> Option<&'static str> {
    let Some(keys) = keys(jwks) else { return Some("is not a JWK Set") };
    let secret = |key: &Value| ["d", "p", "q", "k"].iter().any(|part| key.get(part).is_some());
    if jwks.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(secret)) {
        return Some("holds a private or symmetric key, which is not for others to see");
    }
    let usable = |key: &Jwk| ALGORITHMS.iter().any(|(_, algorithm)| fits(key, *algorithm));
    let none = "holds no public key for signatures with RS256, PS256, ES256 or Ed25519";
    (!keys.iter().any(usable)).then_some(none)
}
