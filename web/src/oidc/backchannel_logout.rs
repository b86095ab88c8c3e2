//! `POST /backchannel-logout`: the provider says that a session has ended (OpenID Connect Back-Channel Logout 1.0).

use axum::{
    Form, Json,
    extract::{State, rejection::FormRejection},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    db,
    jws::{Jwk, Jws},
    secret::SecretHash,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Unavailable;
use crate::{
    App,
    store::{logout_tokens, sessions},
};

/// §2.4.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Each is remembered as long as it is good: none may be good for longer.
const LONGEST: TimeDelta = TimeDelta::minutes(10);
/// How far the provider's clock may be from ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

#[derive(Deserialize)]
pub(crate) struct Request {
    logout_token: String,
}

/// §2.4.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: i64,
    exp: i64,
    jti: String,
    events: Map<String, Value>,
    sub: Option<String>,
    sid: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Why nothing was ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Token(&'static str),
    /// Another one for the same session, or this one a little later, may be taken.
    #[error("{0}")]
    NotNow(&'static str),
    #[error("the identity provider: {0}")]
    Provider(#[from] Unavailable),
    #[error("the database: {0}")]
    Internal(#[from] db::Error),
}

type NoStore = [(HeaderName, &'static str); 1];
const NO_STORE: NoStore = [(header::CACHE_CONTROL, "no-store")];

impl IntoResponse for Refusal {
    /// §2.8. What may go better next time is no 400, which is final.
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::Token(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::NotNow(_) | Self::Provider(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        match &self {
            Self::Token(_) | Self::NotNow(_) => tracing::info!(rule = %self, "refused a logout token"),
            Self::Provider(_) | Self::Internal(_) => {
                tracing::error!(error = %self, "a logout token could not be looked at");
            }
        }
        let mut response = (status, NO_STORE, Json(json!({ "error": code }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

pub(crate) async fn post(
    State(app): State<App>,
    form: Result<Form<Request>, FormRejection>,
) -> Result<(StatusCode, NoStore), Refusal> {
    let Form(Request { logout_token }) =
        form.map_err(|_| Refusal::Token("it is no form with one logout_token"))?;
    let claims = verified(&app, &logout_token).await?;
    let now = app.clock.now();
    judge(&app, &claims).map_err(Refusal::Token)?;
    let good_until = good_until(&claims, now)?;

    let mut tx = app.db.write().await?;
    if !logout_tokens::insert(&mut tx, &SecretHash::of(&claims.jti), good_until).await? {
        return Err(Refusal::Token("it was taken before"));
    }
    let ended = match (&claims.sid, &claims.sub) {
        (Some(sid), _) => sessions::delete_by_sid(&mut tx, &SecretHash::of(sid)).await?,
        (None, Some(subject)) => sessions::delete_by_subject(&mut tx, &SecretHash::of(subject)).await?,
        (None, None) => return Err(Refusal::Token("it names neither a session nor a person")),
    };
    tx.commit().await?;
    tracing::info!(user.id = claims.sub, ended, "the provider ended a session");
    Ok((StatusCode::OK, NO_STORE))
}

/// The claims, when it is a logout token that the provider has signed; with keys that are fetched anew if it has
/// used one that we do not know.
async fn verified(app: &App, token: &str) -> Result<Claims, Refusal> {
    let jws = Jws::parse(token).map_err(Refusal::Token)?;
    let typ = jws.header.typ.as_deref().unwrap_or_default();
    // §2.4, RFC 8725 §3.11: or an ID token could be taken for one.
    if !["logout+jwt", "application/logout+jwt"].iter().any(|own| typ.eq_ignore_ascii_case(own)) {
        return Err(Refusal::Token("its typ is another"));
    }
    let mut provider = app.provider.discover().await?;
    let knows = |keys: &[Jwk]| keys.iter().any(|key| key.common.key_id == jws.header.kid);
    if !knows(&provider.keys) {
        provider = app.provider.rediscover().await?;
        // It may be so new that it was not there yet when we last asked.
        if jws.header.kid.is_some() && !knows(&provider.keys) {
            return Err(Refusal::NotNow("its kid is not known yet"));
        }
    }
    let claims: Map<String, Value> = jws.verify(&provider.keys).map_err(Refusal::Token)?;
    // §2.4: prohibited, so that no logout token passes for an ID token.
    if claims.contains_key("nonce") {
        return Err(Refusal::Token("it has a nonce"));
    }
    serde_json::from_value(claims.into())
        .map_err(|_| Refusal::Token("a claim is missing or of the wrong type"))
}

/// §2.6, but for the times.
fn judge(app: &App, claims: &Claims) -> Result<(), &'static str> {
    if claims.iss != app.provider.issuer() {
        return Err("it is another issuer's");
    }
    let ours = |audience: &String| *audience == app.config.client_id;
    let is_ours = match &claims.aud {
        Audience::One(one) => ours(one),
        Audience::Several(several) => several.iter().any(ours),
    };
    if !is_ours {
        return Err("it is meant for another client");
    }
    if !claims.events.get(EVENT).is_some_and(Value::is_object) {
        return Err("it tells of no log-out");
    }
    Ok(())
}

/// Until when it is good, by our clock. What is of another time may be made anew: the session is still to end.
fn good_until(claims: &Claims, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
    let time = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(Refusal::Token("iat or exp is no time"));
    let (issued_at, expires_at) = (time(claims.iat)?, time(claims.exp)?);
    if expires_at - issued_at > LONGEST {
        return Err(Refusal::Token("it is good for more than ten minutes"));
    }
    if issued_at > now + LEEWAY {
        return Err(Refusal::NotNow("it is of the future"));
    }
    if expires_at <= now - LEEWAY {
        return Err(Refusal::NotNow("it has expired"));
    }
    Ok(expires_at + LEEWAY)
}
