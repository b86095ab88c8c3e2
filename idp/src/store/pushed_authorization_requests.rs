//! Pushed authorization requests, RFC 9126: each good once, for the client that pushed it.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{ClientId, Error, Tx};

pub async fn insert(
    tx: &mut Tx,
    handle: &SecretHash,
    client_id: &ClientId,
    parameters: &str,
    expires_at: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO pushed_authorization_requests (handle_hash, client_id, parameters, expires_at)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(handle)
        .bind(client_id)
        .bind(parameters)
        .bind(expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Takes a request out: of any number of callers, one gets it. Another client's name does not use it up.
pub async fn spend(
    tx: &mut Tx,
    handle: &SecretHash,
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<Option<String>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "DELETE FROM pushed_authorization_requests
             WHERE handle_hash = $1 AND client_id = $2 AND expires_at > $3
             RETURNING parameters",
        )
        .bind(handle)
        .bind(client_id)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}
