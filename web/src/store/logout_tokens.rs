//! Logout tokens that were taken: a copy of one ends nothing.

use chrono::{DateTime, Utc};
use platform::{
    db::{Error, Tx, on_conn},
    secret::SecretHash,
};

/// Notes one; `false` when it was taken before.
pub(crate) async fn insert(tx: &mut Tx, jti: &SecretHash, expires_at: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO logout_tokens (jti_hash, expires_at) VALUES ($1, $2) ON CONFLICT (jti_hash) DO NOTHING",
        )
        .bind(jti)
        .bind(expires_at)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Deletes what has expired.
pub(crate) async fn sweep(tx: &mut Tx, now: DateTime<Utc>) -> Result<u64, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "DELETE FROM logout_tokens WHERE jti_hash IN
             (SELECT jti_hash FROM logout_tokens WHERE expires_at <= $1 LIMIT 500)",
        )
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })
}
