//! Secrets that a browser shows and that no code has confirmed yet. Each browser has its own: what somebody else saw
//! who got as far as this page must not become the person's.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, Tx, UserId};

/// The encrypted secret.
pub async fn find(
    conn: &mut Conn,
    user_id: UserId,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<Vec<u8>>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar(
            "SELECT secret FROM totp_setups WHERE user_id = $1 AND browser = $2 AND expires_at > $3",
        )
        .bind(user_id)
        .bind(browser)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Keeps a secret, unless this browser shows one already; returns the one to show.
pub async fn insert(
    tx: &mut Tx,
    user_id: UserId,
    browser: &SecretHash,
    secret: &[u8],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Vec<u8>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "INSERT INTO totp_setups (user_id, browser, secret, expires_at) VALUES ($1, $2, $3, $5)
             ON CONFLICT (user_id, browser) DO UPDATE SET
                 secret = CASE WHEN totp_setups.expires_at > $4 THEN totp_setups.secret ELSE excluded.secret END,
                 expires_at = CASE WHEN totp_setups.expires_at > $4 THEN totp_setups.expires_at ELSE $5 END
             RETURNING secret",
        )
        .bind(user_id)
        .bind(browser)
        .bind(secret)
        .bind(now)
        .bind(expires_at)
        .fetch_one(conn)
        .await
    })
}

/// Ends a setup: of any number of concurrent callers one is told `true`.
pub async fn redeem(
    tx: &mut Tx,
    user_id: UserId,
    browser: &SecretHash,
    secret: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "DELETE FROM totp_setups WHERE user_id = $1 AND browser = $2 AND secret = $3 AND expires_at > $4",
        )
        .bind(user_id)
        .bind(browser)
        .bind(secret)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Ends all that somebody has begun.
pub async fn delete(tx: &mut Tx, user_id: UserId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM totp_setups WHERE user_id = $1").bind(user_id).execute(conn).await.map(drop)
    })
}
