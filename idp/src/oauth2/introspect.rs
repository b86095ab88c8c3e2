//! Token Introspection, RFC 7662, for confidential clients: their own tokens, and those whose audience they are.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, header},
};
use chrono::{DateTime, Utc};
use platform::secret::SecretHash;
use serde::Serialize;

use super::{
    access_token::{self, Actor, Audience, Confirmation},
    client_auth::authenticate,
    error::{BearerError, TokenError},
    token,
};
use crate::{
    App,
    account::factors,
    config,
    store::{ClientId, Conn, SessionId, clients::Client, grants, refresh_tokens},
};

/// §2.2. What is not active says nothing but that.
#[derive(Debug, Default, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(flatten)]
    details: Option<Details>,
}

#[derive(Debug, Serialize)]
struct Details {
    token_type: &'static str,
    iss: String,
    sub: String,
    client_id: ClientId,
    scope: String,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    /// RFC 9470 §6.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    /// As in the token, RFC 9068 §2.2.1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    amr: Vec<String>,
    /// RFC 9449 §6.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    /// RFC 8693 §7.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Actor>,
}

pub async fn post(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<([(HeaderName, &'static str); 1], Json<Introspection>), TokenError> {
    let parameters = token::form(&headers, &body)?;
    let client = authenticate(&app, &headers, &parameters).await?;
    if client.is_public() {
        return Err(TokenError::InvalidClient("a public client cannot introspect"));
    }
    let token = parameters.get("token").ok_or(TokenError::InvalidRequest("token is missing"))?;
    let mut conn = app.db.read().await?;
    let details = match refresh_token(&app, &mut conn, token, &client).await? {
        Some(details) => Some(details),
        None => access_token(&app, &mut conn, token, &client).await?,
    };
    let introspection = Introspection { active: details.is_some(), details };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(introspection)))
}

async fn access_token(
    app: &App,
    conn: &mut Conn,
    token: &str,
    caller: &Client,
) -> Result<Option<Details>, TokenError> {
    let claims = match access_token::find_live(app, conn, token).await {
        Ok(live) => live.claims,
        Err(BearerError::Internal(error)) => return Err(error.into()),
        Err(reason) => {
            tracing::debug!(%reason, "introspected a token that is not active");
            return Ok(None);
        }
    };
    if claims.client_id != caller.id && !claims.aud.has(&caller.id.0) {
        tracing::info!(client.id = %caller.id, "refused to tell {} about another client's token", caller.id);
        return Ok(None);
    }
    Ok(Some(Details {
        token_type: claims.token_type(),
        iss: claims.iss,
        sub: claims.sub,
        client_id: claims.client_id,
        scope: claims.scope,
        exp: claims.exp,
        aud: Some(claims.aud),
        iat: Some(claims.iat),
        jti: Some(claims.jti),
        sid: claims.sid,
        auth_time: claims.auth_time,
        acr: claims.acr,
        amr: claims.amr,
        cnf: claims.cnf,
        act: claims.act,
    }))
}

async fn refresh_token(
    app: &App,
    conn: &mut Conn,
    token: &str,
    caller: &Client,
) -> Result<Option<Details>, TokenError> {
    let moment = app.moment();
    let Some(stored) = refresh_tokens::find(conn, &SecretHash::of(token)).await? else { return Ok(None) };
    if stored.grant.client_id != caller.id || !in_force(app, &stored, moment.now) {
        return Ok(None);
    }
    let Some(grant) = grants::find_live(conn, stored.grant.id, moment).await? else { return Ok(None) };
    Ok(Some(Details {
        token_type: "refresh_token",
        iss: app.config.issuer.clone(),
        sub: grant.user_id.to_string(),
        client_id: grant.client_id,
        scope: grant.scope,
        exp: stored.token_expires_at.timestamp(),
        aud: None,
        iat: None,
        jti: None,
        sid: Some(grant.session_id),
        auth_time: Some(grant.auth_time.timestamp()),
        acr: Some(factors::acr(&grant.amr).to_owned()),
        amr: grant.amr.0,
        cnf: None,
        act: None,
    }))
}

/// Not expired, and not rotated longer ago than the grace window.
fn in_force(app: &App, token: &refresh_tokens::Stored, now: DateTime<Utc>) -> bool {
    let grace = config::seconds(app.config.tokens.refresh_token_grace);
    token.token_expires_at > now && token.rotated_at.is_none_or(|rotated_at| rotated_at + grace > now)
}
