//! Sessions: a random id in a cookie; behind it, a row that only this id can read.
//!
//! The row is found by the id's hash, and what it holds (who it is, their tokens) is encrypted under a key
//! derived from the id. The id itself is kept by the browser alone, so a stolen database yields no token.

use axum::http::{HeaderMap, HeaderValue};
use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    db, seal,
    secret::{self, ExposeSecret, SecretHash, SecretString},
};
use serde::{Deserialize, Serialize};

use crate::{App, store::sessions};

const COOKIE: &str = "session";

/// How often a session that is in use says so in its row.
const TOUCH: TimeDelta = TimeDelta::minutes(1);

/// A session that is alive.
pub(crate) struct Session {
    id: SecretString,
    pub(crate) id_hash: SecretHash,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) access_token_expires_at: DateTime<Utc>,
    pub(crate) content: Content,
}

/// What is encrypted in a session's row.
#[derive(Serialize, Deserialize)]
pub(crate) struct Content {
    /// The ID token's `sub`.
    pub(crate) subject: String,
    /// What the pages call the person: a name or an e-mail address.
    pub(crate) name: Option<String>,
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) id_token: String,
}

impl Session {
    /// The living session that a request's cookie names. Notes that it is in use.
    pub(crate) async fn find(app: &App, headers: &HeaderMap) -> Result<Option<Self>, db::Error> {
        let Some(id) = app.site.cookie(headers, COOKIE) else { return Ok(None) };
        let now = app.clock.now();
        let Some((session, last_seen_at)) = Self::load(app, id.into()).await? else { return Ok(None) };
        if last_seen_at + TOUCH <= now {
            let mut tx = app.db.write().await?;
            sessions::touch(&mut tx, &session.id_hash, now).await?;
            tx.commit().await?;
        }
        Ok(Some(session))
    }

    /// The session as its row is now; `None` when it ended.
    pub(crate) async fn reload(&self, app: &App) -> Result<Option<Self>, db::Error> {
        Ok(Self::load(app, self.id.clone()).await?.map(|(session, _)| session))
    }

    async fn load(app: &App, id: SecretString) -> Result<Option<(Self, DateTime<Utc>)>, db::Error> {
        let now = app.clock.now();
        let id_hash = SecretHash::of(id.expose_secret());
        let mut conn = app.db.read().await?;
        let Some(row) = sessions::find(&mut conn, &id_hash, now, app.idle_since()).await? else {
            return Ok(None);
        };
        let Some(content) = open(&id, row.sealed) else {
            tracing::warn!("a session's row cannot be opened with its id; the session is not taken");
            return Ok(None);
        };
        let session = Self {
            id,
            id_hash,
            version: row.version,
            created_at: row.created_at,
            access_token_expires_at: row.access_token_expires_at,
            content,
        };
        Ok(Some((session, row.last_seen_at)))
    }

    /// Makes a session under a new id, in place of the one that the browser had; answers its cookie. `sid`: what
    /// the provider calls it.
    pub(crate) async fn start(
        app: &App,
        content: &Content,
        sid: Option<&str>,
        access_token_expires_at: DateTime<Utc>,
        replaced: Option<&Self>,
    ) -> Result<HeaderValue, db::Error> {
        let now = app.clock.now();
        let id = secret::generate("");
        let lifetime = TimeDelta::seconds(app.config.session_lifetime.into());
        let row = sessions::Session {
            sealed: seal(&id, content),
            version: 0,
            access_token_expires_at,
            created_at: now,
            last_seen_at: now,
            expires_at: now + lifetime,
            sid_hash: sid.map(SecretHash::of),
            subject_hash: Some(SecretHash::of(&content.subject)),
        };
        let mut tx = app.db.write().await?;
        if let Some(replaced) = replaced {
            sessions::delete(&mut tx, &replaced.id_hash).await?;
        }
        sessions::insert(&mut tx, &SecretHash::of(id.expose_secret()), &row).await?;
        tx.commit().await?;
        Ok(app.site.set_cookie(COOKIE, id.expose_secret(), Some(lifetime.num_seconds())))
    }

    /// Keeps refreshed tokens, unless another refresh was first or the session has ended.
    pub(crate) async fn keep_refreshed(
        &self,
        app: &App,
        content: &Content,
        access_token_expires_at: DateTime<Utc>,
    ) -> Result<bool, db::Error> {
        let sealed = seal(&self.id, content);
        let mut tx = app.db.write().await?;
        let kept =
            sessions::refresh(&mut tx, &self.id_hash, self.version, &sealed, access_token_expires_at).await?;
        tx.commit().await?;
        Ok(kept)
    }

    pub(crate) async fn end(&self, app: &App) -> Result<(), db::Error> {
        let mut tx = app.db.write().await?;
        sessions::delete(&mut tx, &self.id_hash).await?;
        tx.commit().await
    }
}

/// Whether a request brought a session's cookie, good or not.
pub(crate) fn is_sent(app: &App, headers: &HeaderMap) -> bool {
    app.site.cookie(headers, COOKIE).is_some()
}

/// A `Set-Cookie` that makes the browser forget its session.
pub(crate) fn forget(app: &App) -> HeaderValue {
    app.site.set_cookie(COOKIE, "", Some(0))
}

fn key(id: &SecretString) -> [u8; 32] {
    secret::derive(id.expose_secret().as_bytes(), "web session content")
}

/// The content as JSON, encrypted.
///
/// # Panics
/// Never: what holds strings only is JSON.
#[expect(clippy::expect_used, reason = "see Panics")]
fn seal(id: &SecretString, content: &Content) -> Vec<u8> {
    seal::seal(&key(id), &[], serde_json::to_vec(content).expect("strings are JSON"))
}

/// What [`seal`] sealed under the same id.
fn open(id: &SecretString, sealed: Vec<u8>) -> Option<Content> {
    serde_json::from_slice(&seal::open(&key(id), &[], sealed)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_opens_a_session() {
        let content = Content {
            subject: "alice".into(),
            name: None,
            access_token: "secret-token".into(),
            refresh_token: None,
            id_token: String::new(),
        };
        let (id, other) = (secret::generate(""), secret::generate(""));
        let sealed = seal(&id, &content);
        assert!(!sealed.windows(12).any(|part| part == b"secret-token"));
        assert_eq!(open(&id, sealed.clone()).unwrap().access_token, "secret-token");
        assert!(open(&other, sealed.clone()).is_none());
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert!(open(&id, changed).is_none());
        assert!(open(&id, vec![1; 5]).is_none());
    }
}
