//! Who is logged in, in this browser.

use axum::http::{HeaderMap, HeaderValue};
use chrono::TimeDelta;
use platform::secret::{self, ExposeSecret, SecretHash};

use crate::{
    App, config,
    store::{self, Tx, UserId, sessions, sessions::Session},
};

/// The cookie's purpose.
pub const COOKIE: &str = "session";
const PREFIX: &str = "lkb_";
/// A session's last use is written down at most this often.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(5);

/// The session of this browser, if it has one that is alive.
pub async fn current(app: &App, headers: &HeaderMap) -> Result<Option<Session>, store::Error> {
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
        sessions::touch(&mut tx, session.id, moment.now).await?;
        tx.commit().await?;
    }
    Ok(session)
}

/// Logs a person in after they have proved who they are. Always under a new id in the cookie: one that an
/// attacker knew before log-in is worth nothing after it. Somebody's own session goes on under it, with what
/// clients hold of it; another person's ends. Returns the cookie.
pub async fn start(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    headers: &HeaderMap,
) -> Result<HeaderValue, store::Error> {
    let moment = app.moment();
    let lifetime = app.config.sessions.lifetime;
    let expires_at = moment.now + config::seconds(lifetime);
    let token = secret::generate(PREFIX);
    let hash = SecretHash::of(token.expose_secret());
    let old = match app.site.cookie(headers, COOKIE) {
        Some(old) => sessions::find_live(tx, &SecretHash::of(&old), moment.now, moment.seen_after).await?,
        None => None,
    };
    match old {
        Some(old) if old.user_id == user => {
            sessions::renew(tx, old.id, &hash, moment.now, expires_at).await?
        }
        old => {
            if let Some(old) = old {
                sessions::end(tx, old.id, moment.now).await?;
            }
            sessions::insert(tx, user, &hash, moment.now, expires_at).await?;
        }
    }
    Ok(app.site.set_cookie(COOKIE, token.expose_secret(), Some(lifetime.into())))
}
