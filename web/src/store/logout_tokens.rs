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
