//! Counters of attempts, shared by all nodes.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Error, Tx};

/// A counter after one more attempt.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Counted {
    /// Including this one.
    pub attempts: i64,
    /// When an attempt was counted last, before this one.
    pub last_at: DateTime<Utc>,
}

/// Counts an attempt, before it is made: racers cannot all pass on the same count. A counter that has
/// expired starts again.
pub async fn count(
    tx: &mut Tx,
    key: &SecretHash,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<i64, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "INSERT INTO throttles (key, attempts, last_at, expires_at) VALUES ($1, 1, $2, $3)
             ON CONFLICT (key) DO UPDATE SET
                 attempts = CASE WHEN throttles.expires_at > $2 THEN throttles.attempts + 1 ELSE 1 END,
                 last_at = $2, expires_at = $3
             RETURNING attempts",
        )
        .bind(key)
        .bind(now)
        .bind(expires_at)
        .fetch_one(conn)
        .await
    })
}

/// The counter as it stands; `None` when nothing was counted lately.
pub async fn find(tx: &mut Tx, key: &SecretHash, now: DateTime<Utc>) -> Result<Option<Counted>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as("SELECT attempts, last_at FROM throttles WHERE key = $1 AND expires_at > $2")
            .bind(key)
            .bind(now)
            .fetch_optional(conn)
            .await
    })
}

pub async fn clear(tx: &mut Tx, key: &SecretHash) -> Result<(), Error> {
    on_conn!(tx, |conn| sqlx::query("DELETE FROM throttles WHERE key = $1").bind(key).execute(conn).await.map(drop))
}
