//! New access tokens (RFC 6749 §6), once a session however many requests ask at the same time.
//!
//! Within this process the requests of a session queue for a lock, and all but the first find the work
//! done. Between nodes the provider's rotation is idempotent: who comes second gets the same successor,
//! and loses the conditional write without harm.

use std::sync::Arc;

use chrono::TimeDelta;
use openidconnect::{
    Nonce, OAuth2TokenResponse, RefreshToken, RequestTokenError,
    core::{CoreErrorResponseType, CoreTokenResponse},
};
use platform::db;

use super::{Unavailable, access_token_expires_at, id_token};
use crate::{
    App,
    session::{Content, Session},
};

/// An access token is renewed when it has less than this left.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the session has ended")]
    SessionEnded,
    #[error(transparent)]
    Provider(#[from] Unavailable),
    #[error(transparent)]
    Database(#[from] db::Error),
}

/// The session with an access token that is good for a while.
pub(crate) async fn when_due(app: &App, session: Arc<Session>) -> Result<Arc<Session>, Error> {
    if is_fresh(app, &session) {
        return Ok(session);
    }
    let still_good = app.clock.now() < session.access_token_expires_at;
    match renew(app, Arc::clone(&session)).await {
        Err(Error::Provider(_)) if still_good => Ok(session), // while it lasts
        renewed => renewed,
    }
}

/// The session with another access token than it has, which was refused.
pub(crate) async fn now(app: &App, session: Arc<Session>) -> Result<Arc<Session>, Error> {
    renew(app, session).await
}

fn is_fresh(app: &App, session: &Session) -> bool {
    app.clock.now() + MARGIN < session.access_token_expires_at
}

async fn renew(app: &App, session: Arc<Session>) -> Result<Arc<Session>, Error> {
    let app = app.clone();
    // A task of its own: a browser that goes away must not stop us between spending the refresh token
    // and keeping its successor.
    let renewal = app.tasks.clone().spawn(async move {
        let lock = app.refreshing.get_with(session.id_hash.clone(), async { Arc::default() }).await;
        let _turn = lock.lock().await;
        let current = session.reload(&app).await?.ok_or(Error::SessionEnded)?;
        if current.version != session.version && is_fresh(&app, &current) {
            return Ok(Arc::new(current));
        }
        renew_alone(&app, current).await.map(Arc::new)
    });
    renewal.await.map_err(|error| Unavailable(format!("a refresh did not finish: {error}")))?
}

async fn renew_alone(app: &App, session: Session) -> Result<Session, Error> {
    let Some(refresh_token) = &session.content.refresh_token else {
        session.end(app).await?;
        return Err(Error::SessionEnded);
    };
    let response = match request(app, refresh_token).await {
        Err(Failure::Unavailable(_)) => request(app, refresh_token).await, // rotation allows to ask again
        response => response,
    };
    let response = match response {
        Ok(response) => response,
        Err(Failure::InvalidGrant) => {
            tracing::info!(user.id = %session.content.subject, "the provider ended a session");
            session.end(app).await?;
            return Err(Error::SessionEnded);
        }
        Err(Failure::Unavailable(error)) => return Err(error.into()),
    };
    let Some(id_token) = renewed_id_token(app, &session, &response).await? else {
        session.end(app).await?;
        return Err(Error::SessionEnded);
    };
    let expires_at = access_token_expires_at(&response, &app.clock);
    let content = Content {
        access_token: response.access_token().secret().clone(),
        refresh_token: response
            .refresh_token()
            .map(|token| token.secret().clone())
            .or_else(|| session.content.refresh_token.clone()),
        subject: session.content.subject.clone(),
        name: session.content.name.clone(),
        id_token,
    };
    session.keep_refreshed(app, &content, expires_at).await?;
    session.reload(app).await?.ok_or(Error::SessionEnded)
}

/// The newest ID token, for logging out: an old one may be signed with a key that is gone. A refresh need
/// not bring one; `None` when it brings one that is not good, or about somebody else (Core §12.2).
async fn renewed_id_token(
    app: &App,
    session: &Session,
    response: &CoreTokenResponse,
) -> Result<Option<String>, Error> {
    let provider = app.provider.discover().await?;
    // Core §12.2: it should have no nonce.
    let any_nonce = |_: Option<&Nonce>| Ok(());
    match id_token::check(app, &provider, response, any_nonce).await {
        Ok((id_token, subject)) if subject == session.content.subject => Ok(Some(id_token)),
        Err(id_token::Refusal::Missing) => Ok(Some(session.content.id_token.clone())),
        Err(id_token::Refusal::Provider(error)) => Err(error.into()),
        Ok(_) => {
            tracing::warn!(user.id = %session.content.subject, "a refresh brought somebody else's ID token");
            Ok(None)
        }
        Err(error @ id_token::Refusal::Claims(_)) => {
            tracing::warn!(user.id = %session.content.subject, %error, "a refresh brought a bad ID token");
            Ok(None)
        }
    }
}

enum Failure {
    /// RFC 6749 §5.2: the refresh token is spent, revoked, expired, or its session at the provider ended.
    InvalidGrant,
    Unavailable(Unavailable),
}

async fn request(app: &App, refresh_token: &str) -> Result<CoreTokenResponse, Failure> {
    let provider = app.provider.discover().await.map_err(Failure::Unavailable)?;
    let refresh_token = RefreshToken::new(refresh_token.to_owned());
    let request = provider
        .client
        .exchange_refresh_token(&refresh_token)
        .map_err(|error| Failure::Unavailable(Unavailable::because("metadata", &error)))?
        .add_extra_param("resource", &app.config.api_url);
    request.request_async(&app.provider.http).await.map_err(|error| match error {
        RequestTokenError::ServerResponse(answer)
            if *answer.error() == CoreErrorResponseType::InvalidGrant =>
        {
            Failure::InvalidGrant
        }
        error => Failure::Unavailable(Unavailable::because("the token endpoint", &error)),
    })
}
