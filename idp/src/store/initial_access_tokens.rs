//! What allows an app to register itself (RFC 7591 §3): each good a number of times.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Error, Tx};

pub async fn insert(
    tx: &mut Tx,
    token: &SecretHash,
    uses: i64,
    expires_at: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO initial_access_tokens (token_hash, uses_left, expires_at) VALUES ($1, $2, $3)",
        )
        .bind(token)
        .bind(uses)
        .bind(expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Uses one up once; `false` when it is unknown, has expired or was used as often as it may be.
pub async fn spend(tx: &mut Tx, token: &SecretHash, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE initial_access_tokens SET uses_left = uses_left - 1
             WHERE token_hash = $1 AND uses_left > 0 AND expires_at > $2",
        )
        .bind(token)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}
