//! Who is logged in, in this browser.

use axum::http::{HeaderMap, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    http,
    secret::{self, ExposeSecret, SecretHash},
};

use super::{factors, journey};
use crate::{
    App, config,
    error::PageError,
    store::{
        self, SessionId, Tx, UserId, Words,
        sessions::{self, LogIn, Session},
    },
};

/// The cookie's purpose.
pub const COOKIE: &str = "session";
const PREFIX: &str = "lkb_";
/// A session's last use is written down at most this often.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(5);
/// For what could cost somebody their account, a log-in must not be older.
pub const RECENT: TimeDelta = TimeDelta::minutes(10);

/// Who is logged in in this browser: its session, if it is alive and was begun with as many factors as are demanded of
/// everybody.
pub async fn current(app: &App, headers: &HeaderMap) -> Result<Option<Session>, store::Error> {
    let enough =
        |session: &Session| !app.config.require_second_factor || factors::is_two_factors(&session.amr);
    Ok(alive(app, headers).await?.filter(enough))
}

/// The session of this browser, if it has one that is alive: for ending it.
pub async fn alive(app: &App, headers: &HeaderMap) -> Result<Option<Session>, store::Error> {
    let Some(token) = app.site.cookie(headers, COOKIE).filter(|token| token.starts_with(PREFIX)) else {
        return Ok(None);
    };
    let moment = app.moment();
    let mut conn = app.db.read().await?;
    let session =
        sessions::find_live(&mut conn, &SecretHash::of(&token), moment.now, moment.seen_after).await?;
    drop(conn);
    if let Some(session) = &session
        && session.last_seen_at + TOUCH_EVERY < moment.now
    {
        let mut tx = app.db.write().await?;
        sessions::seen(&mut tx, session.id, http::current().client, moment.now).await?;
        tx.commit().await?;
    }
    Ok(session)
}

/// Whoever is logged in. Others log in first and come back to `here`, a page below `/account`.
pub async fn required(app: &App, headers: &HeaderMap, here: &str) -> Result<Session, PageError> {
    current(app, headers).await?.ok_or_else(|| PageError::Elsewhere(journey::log_in_for(here)))
}

/// Whoever has logged in just now, by all that they log in with: for everything that could cost somebody their account.
pub async fn recent(app: &App, headers: &HeaderMap, here: &str) -> Result<Session, PageError> {
    let session = required(app, headers, here).await?;
    if !is_recent(app, &session) {
        return Err(PageError::Elsewhere(journey::log_in_for(here)));
    }
    let mut conn = app.db.read().await?;
    // The session may be from before they had a second factor.
    if !factors::is_two_factors(&session.amr)
        && factors::enrolled(app, &mut conn, session.user_id).await?.demands_second()
    {
        return Err(PageError::Elsewhere(journey::second_for(here)));
    }
    Ok(session)
}

pub fn is_recent(app: &App, session: &Session) -> bool {
    session.auth_time + RECENT >= app.clock.now()
}

/// Logs a person in after they have proved who they are. Always under a new id in the cookie: one that an
/// attacker knew before log-in is worth nothing after it. Somebody's own session goes on under it, with what
/// clients hold of it; another person's ends. Returns which it is, and the cookie.
pub async fn start(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    amr: &Words,
    auth_time: DateTime<Utc>,
    headers: &HeaderMap,
) -> Result<(SessionId, HeaderValue), store::Error> {
    let moment = app.moment();
    let lifetime = app.config.sessions.lifetime;
    let token = secret::generate(PREFIX);
    let user_agent = http::user_agent().unwrap_or_default();
    let log_in = LogIn {
        token: &SecretHash::of(token.expose_secret()),
        amr,
        auth_time,
        user_agent: &user_agent,
        address: http::current().client,
        expires_at: moment.now + config::seconds(lifetime),
    };
    let old = match app.site.cookie(headers, COOKIE) {
        Some(old) => sessions::find_live(tx, &SecretHash::of(&old), moment.now, moment.seen_after).await?,
        None => None,
    };
    let id = match old {
        Some(old) if old.user_id == user => {
            sessions::renew(tx, old.id, &log_in, moment.now).await?;
            old.id
        }
        old => {
            if let Some(old) = old {
                sessions::end(tx, old.id, moment.now).await?;
            }
            sessions::insert(tx, user, &log_in, moment.now).await?
        }
    };
    Ok((id, app.site.set_cookie(COOKIE, token.expose_secret(), Some(lifetime.into()))))
}

/// The session goes on under another id in the cookie: whoever knows the old one has nothing any more. Returns the
/// cookie.
pub async fn rename(app: &App, tx: &mut Tx, id: SessionId) -> Result<HeaderValue, store::Error> {
    let token = secret::generate(PREFIX);
    sessions::set_token(tx, id, &SecretHash::of(token.expose_secret())).await?;
    Ok(app.site.set_cookie(COOKIE, token.expose_secret(), Some(app.config.sessions.lifetime.into())))
}
