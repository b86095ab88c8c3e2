//! Challenges that an authenticator has not answered yet. 256 random bits each; the answer holds the challenge
//! itself, so that it needs no name beside it.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Error, Tx, UserId};

/// What a challenge is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Add,
    LogIn,
    /// A further factor of a log-in.
    Second,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::LogIn => "log_in",
            Self::Second => "second",
        }
    }
}

/// A challenge, and what it is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    pub challenge: &'a SecretHash,
    pub browser: &'a SecretHash,
    pub purpose: Purpose,
    /// Nobody is known yet who logs in.
    pub user_id: Option<UserId>,
}

/// `state`: JSON.
pub async fn insert(
    tx: &mut Tx,
    bound: Bound<'_>,
    state: &str,
    expires_at: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO passkey_ceremonies (challenge_hash, browser, purpose, user_id, state, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(bound.challenge)
        .bind(bound.browser)
        .bind(bound.purpose.as_str())
        .bind(bound.user_id)
        .bind(state)
        .bind(expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Spends a challenge, and returns its state: to one of any number of concurrent callers. In another browser, for
/// another purpose or by another person it stays.
pub async fn spend(tx: &mut Tx, bound: Bound<'_>, now: DateTime<Utc>) -> Result<Option<String>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "DELETE FROM passkey_ceremonies
             WHERE challenge_hash = $1 AND browser = $2 AND purpose = $3
               AND user_id IS NOT DISTINCT FROM $4 AND expires_at > $5
             RETURNING state",
        )
        .bind(bound.challenge)
        .bind(bound.browser)
        .bind(bound.purpose.as_str())
        .bind(bound.user_id)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}
