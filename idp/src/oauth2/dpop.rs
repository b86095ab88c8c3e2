//! DPoP at this server (RFC 9449): proof of which key the sender of a request holds, and nonces for it (§8).

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use platform::dpop::{self, DPOP_NONCE, Request};

use crate::{
    App,
    store::{self, clients::Client},
};

/// How long a nonce is good.
const NONCE_LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// Why a proof is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DpopError {
    #[error("{0}")]
    Invalid(&'static str),
    /// §8: it has to be made anew, with this nonce.
    #[error("the proof has no nonce of ours, or an old one")]
    UseNonce(Nonce),
    #[error("{0}")]
    Internal(#[from] store::Error),
}

/// What a proof has to hold, so that none can be made in advance.
#[derive(Debug)]
pub struct Nonce(String);

impl Nonce {
    /// As the header that a client is told it in.
    #[must_use]
    pub fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        Some((DPOP_NONCE.clone(), HeaderValue::try_from(&self.0).ok()?))
    }
}

/// The thumbprint of the key that the sender of a request to `path` proves to hold; `None` without a proof.
/// `client`: who has been found to be the sender, if that is known.
pub async fn proven(
    app: &App,
    client: Option<&Client>,
    headers: &HeaderMap,
    method: &str,
    path: &str,
    access_token: Option<&str>,
) -> Result<Option<String>, DpopError> {
    let now = app.clock.now();
    let url = format!("{}{path}", app.config.issuer);
    let request = Request { method, url: &url, access_token, now };
    let Some(proof) = dpop::read(headers, request).map_err(DpopError::Invalid)? else { return Ok(None) };
    if client.is_some_and(|client| !client.accepts_alg(&proof.alg)) {
        return Err(DpopError::Invalid("its alg is not one of the client's profile"));
    }
    let fresh = match &proof.nonce {
        Some(nonce) => is_fresh(app, nonce, now),
        None => !app.config.require_dpop_nonce,
    };
    if !fresh {
        return Err(DpopError::UseNonce(nonce(app, now)));
    }
    let mut tx = app.db.write().await?;
    let first = proof.remember(&mut tx).await?;
    tx.commit().await?;
    if first { Ok(Some(proof.jkt)) } else { Err(DpopError::Invalid("the proof was used before")) }
}

/// What goes with an answer to a proof: the next nonce, where nonces are demanded (§8.2).
#[must_use]
pub fn next_nonce(app: &App, jkt: Option<&str>) -> Option<(HeaderName, HeaderValue)> {
    let wanted = jkt.is_some() && app.config.require_dpop_nonce;
    if wanted { nonce(app, app.clock.now()).header() } else { None }
}

/// When it was made, and that it was made here: any node can tell, and none has to remember.
fn nonce(app: &App, now: DateTime<Utc>) -> Nonce {
    let mut bytes = now.timestamp().to_be_bytes().to_vec();
    bytes.extend_from_slice(hmac::sign(&key(app), &bytes).as_ref());
    Nonce(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_fresh(app: &App, nonce: &str, now: DateTime<Utc>) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
    let Some((made_at, signature)) = bytes.split_first_chunk::<8>() else { return false };
    if hmac::verify(&key(app), made_at, signature).is_err() {
        return false;
    }
    let made_at = DateTime::from_timestamp(i64::from_be_bytes(*made_at), 0);
    made_at.is_some_and(|made_at| made_at <= now && now < made_at + NONCE_LIFETIME)
}

fn key(app: &App) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &app.secrets.dpop_nonce)
}
