//! Codes for who has lost what gives the other codes: each good once.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, Tx, UserId};

/// How many somebody has left.
pub async fn count(conn: &mut Conn, user_id: UserId) -> Result<i64, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1")
            .bind(user_id)
            .fetch_one(conn)
            .await
    })
}

/// These instead of those that somebody had.
pub async fn replace(
    tx: &mut Tx,
    user_id: UserId,
    codes: &[SecretHash],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    delete(tx, user_id).await?;
    for code in codes {
        on_conn!(&mut *tx, |conn| {
            sqlx::query("INSERT INTO recovery_codes (code_hash, user_id, created_at) VALUES ($1, $2, $3)")
                .bind(code)
                .bind(user_id)
                .bind(now)
                .execute(conn)
                .await
                .map(drop)
        })?;
    }
    Ok(())
}

/// Of any number of concurrent callers one is told `true`.
pub async fn spend(tx: &mut Tx, user_id: UserId, code: &SecretHash) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM recovery_codes WHERE code_hash = $1 AND user_id = $2")
            .bind(code)
            .bind(user_id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

pub async fn delete(tx: &mut Tx, user_id: UserId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1")
            .bind(user_id)
            .execute(conn)
            .await
            .map(drop)
    })
}
