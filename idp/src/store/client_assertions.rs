//! Assertions that clients have authenticated with: a copy of one proves nothing.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{ClientId, Error, Tx};

/// Notes the use of an assertion; `false` when it was used before.
pub async fn insert(
    tx: &mut Tx,
    client_id: &ClientId,
    jti: &str,
    expires_at: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO client_assertions (client_id, jti_hash, expires_at) VALUES ($1, $2, $3)
             ON CONFLICT (client_id, jti_hash) DO NOTHING",
        )
        .bind(client_id)
        .bind(SecretHash::of(jti))
        .bind(expires_at)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}
