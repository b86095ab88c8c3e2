//! Proof that whoever sends a request holds a key: DPoP, RFC 9449 §4.
//!
//! The identity provider binds tokens to such keys, the APIs that take the tokens ask for the same proof: both
//! judge it here, and both remember it in their own table `dpop_proofs`.

use axum::http::{HeaderMap, HeaderName};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::ThumbprintHash;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    db::{Error, Tx},
    jws::{self, Jws, NumericDate},
    on_conn,
    secret::SecretHash,
};

/// §4.1.
pub static DPOP: HeaderName = HeaderName::from_static("dpop");
/// §8.1.
pub static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// How long a proof is good after it was made. It is remembered for as long.
const LIFETIME: TimeDelta = TimeDelta::seconds(60);
/// How far the client's clock may be ahead of ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(10);
const MAX_JTI: usize = 255;

/// What a proof has to be about.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `htm`
    pub method: &'a str,
    /// `htu`: the public address, without query and fragment.
    pub url: &'a str,
    /// `ath`: the access token that the request brings.
    pub access_token: Option<&'a str>,
    pub now: DateTime<Utc>,
}

/// A proof that is good if it was not seen before.
#[derive(Debug)]
pub struct Proof {
    /// RFC 7638 thumbprint of the key, base64url.
    pub jkt: String,
    pub nonce: Option<String>,
    /// What it is signed with.
    pub alg: String,
    jti: String,
    expires_at: DateTime<Utc>,
}

/// §4.2.
#[derive(Debug, Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: NumericDate,
    ath: Option<String>,
    nonce: Option<String>,
}

/// The names of the algorithms that proofs may be signed with, for metadata.
#[must_use]
pub fn algorithms() -> [&'static str; 5] {
    jws::ALGORITHMS.map(|(name, _)| name)
}

/// Whether a text can be a thumbprint (SHA-256, base64url).
#[must_use]
pub fn is_thumbprint(text: &str) -> bool {
    SecretHash::from_base64url(text).is_some()
}

/// §4.3: the proof that a request brought, judged; `None` when it brought none. `Err` says which rule refuses.
pub fn read(headers: &HeaderMap, request: Request<'_>) -> Result<Option<Proof>, &'static str> {
    let mut sent = headers.get_all(&DPOP).iter();
    let Some(header) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err("there is more than one proof");
    }
    judge(header.to_str().map_err(|_| "the proof is not a JWT")?, request).map(Some)
}

fn judge(proof: &str, request: Request<'_>) -> Result<Proof, &'static str> {
    let jws = Jws::parse(proof)?;
    if !jws.header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("dpop+jwt")) {
        return Err("the proof's typ is not dpop+jwt");
    }
    let jwk = jws.header.jwk.as_ref().filter(|jwk| !jws::holds_secret(jwk));
    let mut jwk = jwk.and_then(jws::key).ok_or("the proof brings no public key")?;
    // What else the header calls it does not matter: it is this one that is proved.
    jwk.common.key_id.clone_from(&jws.header.kid);
    let jkt = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| "the proof's key has no thumbprint")?;
    let claims: Claims = jws.verify(&[jwk])?;

    if claims.htm != request.method {
        return Err("the proof is for another method");
    }
    if place(&claims.htu).is_none_or(|htu| Some(htu) != place(request.url)) {
        return Err("the proof is for another address");
    }
    let made_at = claims.iat.time().ok_or("the proof's iat is no time")?;
    if made_at > request.now + LEEWAY || made_at + LIFETIME <= request.now {
        return Err("the proof is too old, or of the future");
    }
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI {
        return Err("the proof's jti must have 1 to 255 bytes");
    }
    let ath = request.access_token.map(|token| URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
    if ath.is_some() && claims.ath != ath {
        return Err("the proof is for another access token");
    }
    Ok(Proof {
        jkt,
        alg: jws.header.alg,
        nonce: claims.nonce,
        jti: claims.jti,
        expires_at: made_at + LIFETIME,
    })
}

/// §4.3: compared without query and fragment, after normalisation.
fn place(url: &str) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

impl Proof {
    /// §11.1: notes that it was used; `false` when it was used before, on whatever node.
    pub async fn remember(&self, tx: &mut Tx) -> Result<bool, Error> {
        // A jti is the choice of whoever holds the key: one cannot use up another's.
        let key = SecretHash::of(&format!("{} {}", self.jkt, self.jti));
        on_conn!(tx, |conn| {
            sqlx::query(
                "INSERT INTO dpop_proofs (proof_hash, expires_at) VALUES ($1, $2)
                 ON CONFLICT (proof_hash) DO NOTHING",
            )
            .bind(key)
            .bind(self.expires_at)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }
}
