//! Pushed Authorization Requests, RFC 9126: the client itself says what it asks for; the browser carries
//! no more than a name for it.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::AppendHeaders,
};
use chrono::TimeDelta;
use platform::secret::{self, ExposeSecret, SecretHash};
use serde::Serialize;

use super::{
    authorize::{self, Refusal, Request},
    client_auth::authenticate,
    dpop,
    error::TokenError,
    parameters::Parameters,
    token,
};
use crate::{
    App,
    error::PageError,
    store::{ClientId, pushed_authorization_requests},
};

const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";
const HANDLE: &str = "lkp_";
/// From the push to the browser's arrival.
const LIFETIME: TimeDelta = TimeDelta::seconds(90);
/// What proves who pushes, and is not part of the request.
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// §2.2.
#[derive(Debug, Serialize)]
pub struct Pushed {
    request_uri: String,
    /// Seconds.
    expires_in: i64,
}

type Answer = (
    StatusCode,
    [(HeaderName, &'static str); 1],
    AppendHeaders<Option<(HeaderName, HeaderValue)>>,
    Json<Pushed>,
);

pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Answer, TokenError> {
    let parameters = token::form(&headers, &body)?;
    let client = authenticate(&app, &headers, &parameters).await?;
    // §2.1.
    if parameters.get("request_uri").is_some() {
        return Err(TokenError::InvalidRequest("request_uri cannot be pushed"));
    }
    let parameters = parameters.without(&CREDENTIALS).with("client_id", &client.id.0);
    let opened = authorize::open(&app, &parameters).await.map_err(Refusal::from)?;
    let opened = opened.map_err(|(error, rule)| TokenError::Authorization(error, rule))?;
    let mut parameters = opened.unwrap_or(parameters);
    // RFC 9449 §10.1: a proof says the same as dpop_jkt.
    let jkt = dpop::proven(&app, Some(&client), &headers, "POST", "/par", None).await?;
    if let Some(jkt) = &jkt {
        if parameters.get("dpop_jkt").is_some_and(|named| named != jkt) {
            return Err(TokenError::InvalidDpopProof("dpop_jkt names another key than the proof"));
        }
        parameters = parameters.with("dpop_jkt", jkt);
    }
    let request = Request::read(&app, parameters).await?;

    let handle = secret::generate(HANDLE);
    let hash = SecretHash::of(handle.expose_secret());
    let expires_at = app.clock.now() + LIFETIME;
    let mut tx = app.db.write().await?;
    let encoded = request.parameters.encode();
    pushed_authorization_requests::insert(&mut tx, &hash, &client.id, &encoded, expires_at).await?;
    tx.commit().await?;
    tracing::info!(client.id = %client.id, "{} pushed an authorization request", client.id);
    let request_uri = format!("{REQUEST_URI}{}", handle.expose_secret());
    let pushed = Pushed { request_uri, expires_in: LIFETIME.num_seconds() };
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, no_store, AppendHeaders(dpop::next_nonce(&app, jkt.as_deref())), Json(pushed)))
}

/// The request that these parameters stand for, when they name one that was pushed. Whatever else the
/// browser brought is not looked at (§4).
pub async fn redeem(app: &App, parameters: &Parameters) -> Result<Option<Parameters>, PageError> {
    let request_uri = parameters.get("request_uri").filter(|_| !parameters.malformed());
    let Some(handle) = request_uri.and_then(|uri| uri.strip_prefix(REQUEST_URI)) else { return Ok(None) };
    let client_id = parameters.get("client_id").ok_or(PageError::Request("client_id is missing"))?;
    let client_id = ClientId(client_id.to_owned());
    let mut tx = app.db.write().await?;
    let hash = SecretHash::of(handle);
    let spent = pushed_authorization_requests::spend(&mut tx, &hash, &client_id, app.clock.now()).await?;
    tx.commit().await?;
    match spent {
        Some(encoded) => Ok(Some(Parameters::parse(encoded.as_bytes()))),
        None => {
            tracing::info!(client.id = %client_id, "a request_uri is unknown, expired, used before, or another client's");
            Err(PageError::Gone)
        }
    }
}
