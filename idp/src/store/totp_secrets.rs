//! What people's authenticator apps share with us (RFC 6238): one secret a person, encrypted.

use chrono::{DateTime, Utc};
use platform::on_conn;

use super::{Conn, Error, Tx, UserId};

/// The encrypted secret.
pub async fn find(conn: &mut Conn, user_id: UserId) -> Result<Option<Vec<u8>>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT secret FROM totp_secrets WHERE user_id = $1")
            .bind(user_id)
            .fetch_optional(conn)
            .await
    })
}

/// Instead of the one that somebody had. `step`: that of the code which confirmed it, and which is not good again.
pub async fn put(
    tx: &mut Tx,
    user_id: UserId,
    secret: &[u8],
    step: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO totp_secrets (user_id, secret, last_step, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (user_id) DO UPDATE SET
                 secret = excluded.secret, last_step = excluded.last_step, created_at = excluded.created_at",
        )
        .bind(user_id)
        .bind(secret)
        .bind(step)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Spends the code of a time step: neither it nor an older one is good after that. Of any number of concurrent
/// callers one is told `true`.
pub async fn accept(tx: &mut Tx, user_id: UserId, secret: &[u8], step: i64) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE totp_secrets SET last_step = $3 WHERE user_id = $1 AND secret = $2 AND last_step < $3",
        )
        .bind(user_id)
        .bind(secret)
        .bind(step)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// `false` when there was none.
pub async fn delete(tx: &mut Tx, user_id: UserId) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM totp_secrets WHERE user_id = $1")
            .bind(user_id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}
