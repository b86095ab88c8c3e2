//! Accounts that somebody wants to make, while their address is not confirmed. No account is there before: whoever
//! signs up with another's address leaves nothing behind that its owner could walk into.

use chrono::{DateTime, TimeDelta, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, SignUpId, Tx};

/// How long there is to confirm.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

#[derive(Clone, sqlx::FromRow)]
pub struct SignUp {
    pub email: String,
    pub email_normalized: String,
    pub name: String,
    /// PHC string.
    pub password_hash: String,
}

impl std::fmt::Debug for SignUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignUp").finish_non_exhaustive()
    }
}

pub async fn insert(tx: &mut Tx, sign_up: &SignUp, now: DateTime<Utc>) -> Result<SignUpId, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "INSERT INTO sign_ups (id, email, email_normalized, name, password_hash, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             RETURNING id",
        )
        .bind(SignUpId::new())
        .bind(&sign_up.email)
        .bind(&sign_up.email_normalized)
        .bind(&sign_up.name)
        .bind(&sign_up.password_hash)
        .bind(now + LIFETIME)
        .fetch_one(conn)
        .await
    })
}

/// Gives it a link, in place of one that was mailed before. Returns the address as typed; `None` when it is no more.
pub async fn set_token(
    tx: &mut Tx,
    id: SignUpId,
    token: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<String>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE sign_ups SET token_hash = $2 WHERE id = $1 AND expires_at > $3 RETURNING email",
        )
        .bind(id)
        .bind(token)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// What a link would make an account of. It decides nothing.
pub async fn find(conn: &mut Conn, token: &SecretHash, now: DateTime<Utc>) -> Result<Option<SignUp>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT email, email_normalized, name, password_hash FROM sign_ups
             WHERE token_hash = $1 AND expires_at > $2",
        )
        .bind(token)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Spends a link. Of any number of concurrent callers, one gets it.
pub async fn spend(tx: &mut Tx, token: &SecretHash, now: DateTime<Utc>) -> Result<Option<SignUp>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "DELETE FROM sign_ups WHERE token_hash = $1 AND expires_at > $2
             RETURNING email, email_normalized, name, password_hash",
        )
        .bind(token)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Nobody makes this account any more.
pub async fn delete(tx: &mut Tx, id: SignUpId) -> Result<(), Error> {
    on_conn!(tx, |conn| sqlx::query("DELETE FROM sign_ups WHERE id = $1")
        .bind(id)
        .execute(conn)
        .await
        .map(drop))
}
