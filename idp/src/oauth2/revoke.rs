//! Token Revocation, RFC 7009: 200 for what is unknown or over; an authenticated client ends only what is its own.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chrono::DateTime;
use platform::secret::SecretHash;

use super::{access_token::Claims, client_auth::authenticate, error::TokenError, token};
use crate::{
    App, audit,
    audit::Event,
    keys::Kind,
    store::{grants, refresh_tokens, revoked_access_tokens},
};

pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, TokenError> {
    let parameters = token::form(&headers, &body)?;
    let client = authenticate(&app, &headers, &parameters).await?;
    let token = parameters.get("token").ok_or(TokenError::InvalidRequest("token is missing"))?;
    let now = app.clock.now();

    let mut tx = app.db.write().await?;
    // §2.1: the hint only says where to look first; a token says itself what it is.
    if let Some(stored) = refresh_tokens::find(&mut tx, &SecretHash::of(token)).await? {
        if stored.grant.client_id != client.id {
            return Err(TokenError::InvalidGrant("the token is another client's"));
        }
        if grants::revoke(&mut tx, stored.grant.id, now).await? {
            let event = Event::AppDisconnected { client_id: client.id.clone() };
            audit::record(&app, &mut tx, Some(stored.grant.user_id), event).await?;
        }
    } else if let Ok(claims) =
        app.keys.snapshot().verify::<Claims>(token, Kind::AccessToken, &app.config.issuer, Some(now))
    {
        if claims.client_id != client.id {
            return Err(TokenError::InvalidGrant("the token is another client's"));
        }
        let expires_at = DateTime::from_timestamp(claims.exp, 0).unwrap_or(now);
        revoked_access_tokens::insert(&mut tx, &claims.jti, expires_at).await?;
    }
    tx.commit().await?;
    tracing::info!(client.id = %client.id, "revoked a token of {}", client.id);
    Ok(StatusCode::OK)
}
