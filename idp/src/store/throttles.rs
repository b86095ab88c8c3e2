//! Counters of attempts, shared by all nodes.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Error, Tx};

/// A counter as it stands.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Counted {
    /// 0 when nothing was counted lately.
    pub attempts: i64,
    /// When an attempt was counted last; without meaning when none was.
    pub last_at: DateTime<Utc>,
}

/// Reads a counter, and keeps everybody else from reading or changing it until this transaction ends:
/// nothing can change between judging it and counting.
pub async fn lock(
    tx: &mut Tx,
    key: &SecretHash,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Counted, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "INSERT INTO throttles (key, attempts, last_at, expires_at) VALUES ($1, 0, $2, $3)
             ON CONFLICT (key) DO UPDATE SET attempts = throttles.attempts
             RETURNING CASE WHEN expires_at > $2 THEN attempts ELSE 0 END AS attempts, last_at",
        )
        .bind(key)
        .bind(now)
        .bind(expires_at)
        .fetch_one(conn)
        .await
    })
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

/// Takes one attempt back.
pub async fn forgive(tx: &mut Tx, key: &SecretHash) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE throttles SET attempts = attempts - 1 WHERE key = $1 AND attempts > 0")
            .bind(key)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Forgets a counter.
pub async fn clear(tx: &mut Tx, key: &SecretHash) -> Result<(), Error> {
    on_conn!(tx, |conn| sqlx::query("DELETE FROM throttles WHERE key = $1")
        .bind(key)
        .execute(conn)
        .await
        .map(drop))
}
