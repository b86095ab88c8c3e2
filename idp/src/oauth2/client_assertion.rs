//! `private_key_jwt`: RFC 7523 §2.2 and §3, OpenID Connect Core §9. A client signs who it is with a key whose
//! public half it registered.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::Jwk;
use platform::jws::{self, Jws, NumericDate};
use serde::Deserialize;
use serde_json::Value;

use super::{access_token::Audience, error::TokenError};
use crate::{
    App,
    store::{
        ClientId, client_assertions,
        clients::{Client, Profile},
    },
};

/// RFC 7523 §2.2: the one `client_assertion_type`.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What an assertion may say that it is (RFC 7515 §4.1.9).
const TYPES: [&str; 2] = ["jwt", "client-authentication+jwt"];
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
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    jti: String,
}

/// Who an assertion says that it is from. Proves nothing.
#[must_use]
pub fn claimed(assertion: &str) -> Option<String> {
    jws::claimed::<Claims>(assertion).map(|claims| claims.sub.0)
}

/// Whether `assertion` proves that it is `client` who sent it, now and here, for the first time.
pub async fn verify(app: &App, client: &Client, assertion: &str) -> Result<(), TokenError> {
    let refuse = TokenError::InvalidClient;
    let jws = Jws::parse(assertion).map_err(refuse)?;
    // RFC 8725 §3.11: nothing that the client has signed for another purpose.
    if jws.header.typ.as_deref().is_some_and(|typ| !TYPES.contains(&jws::media_type(typ).as_str())) {
        return Err(refuse("its typ is another"));
    }
    if !client.accepts_alg(&jws.header.alg) {
        return Err(refuse("its alg is not one of the client's profile"));
    }
    let keys = registered_keys(app, client, jws.header.kid.as_deref()).await.map_err(refuse)?;
    let claims = jws.verify(&keys).map_err(refuse)?;
    let now = app.clock.now();
    let expires_at = judge(&claims, client, &app.config.issuer, now).map_err(refuse)?;
    // §3: at most once. Last, so that nobody else can use one up.
    let mut tx = app.db.write().await?;
    let first = client_assertions::insert(&mut tx, &client.id, &claims.jti, expires_at).await?;
    tx.commit().await?;
    if first { Ok(()) } else { Err(refuse("the assertion was used before")) }
}

/// The public keys that a client is registered with, or that are now at the address that it is registered with:
/// those that are known there, unless they lack `kid`.
pub async fn registered_keys(
    app: &App,
    client: &Client,
    kid: Option<&str>,
) -> Result<Arc<[Jwk]>, &'static str> {
    if let Some(uri) = &client.jwks_uri {
        return app.published_keys.find(uri, kid).await;
    }
    let jwks = client.jwks.as_deref().ok_or("the client has registered no keys")?;
    let jwks = serde_json::from_str(jwks).ok();
    jwks.and_then(|jwks| jws::keys(&jwks)).map(Arc::from).ok_or("the client's keys cannot be read")
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
    let here = match client.profile {
        // RFC 7523 §3 and RFC 9126 §2.
        Profile::Oidc => {
            ["", "/token", "/par"].iter().any(|endpoint| claims.aud.has(&format!("{issuer}{endpoint}")))
        }
        Profile::Oauth21 => claims.aud.has(issuer),
        // FAPI 2.0 §5.3.2.1: one text, so that no other server finds itself in it too.
        Profile::Fapi2 => matches!(&claims.aud, Audience::One(audience) if audience == issuer),
    };
    if !here {
        return Err("the assertion is meant for another server");
    }
    let expires_at = claims.exp.time().ok_or("exp is no time")?;
    if expires_at <= now {
        return Err("the assertion has expired");
    }
    if expires_at > now + LONGEST {
        return Err("the assertion is good for more than ten minutes");
    }
    let late = |since: &NumericDate| since.time().is_none_or(|since| since > now + LEEWAY);
    if claims.nbf.as_ref().is_some_and(late) || claims.iat.as_ref().is_some_and(late) {
        return Err("the assertion is of the future");
    }
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI {
        return Err("jti must have 1 to 255 bytes");
    }
    Ok(expires_at)
}

/// Why a JWK Set cannot be registered.
#[must_use]
pub fn refuse_registration(jwks: &Value) -> Option<&'static str> {
    let Some(keys) = jws::keys(jwks) else { return Some("is not a JWK Set") };
    if jwks.get("keys").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(jws::holds_secret)) {
        return Some("holds a private or symmetric key, which is not for others to see");
    }
    let none = "holds no public key for signatures with RS256, PS256, ES256 or Ed25519";
    (!keys.iter().any(jws::is_usable)).then_some(none)
}
