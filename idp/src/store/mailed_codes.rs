//! Codes to log in with that were mailed: each for one browser, good once, and after few wrong tries for nothing.

use chrono::{DateTime, TimeDelta, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, Tx, UserId};

/// NIST SP 800-63B §3.1.3.3: at most ten minutes.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// How often a code may be tried.
const ATTEMPTS: i64 = 5;

/// A code that is asked for. There is a row whether or not anybody has the address.
pub async fn insert(
    tx: &mut Tx,
    handle: &SecretHash,
    browser: &SecretHash,
    email: &str,
    email_normalized: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO mailed_codes (handle_hash, browser, email, email_normalized, attempts, expires_at)
             VALUES ($1, $2, $3, $4, 0, $5)",
        )
        .bind(handle)
        .bind(browser)
        .bind(email)
        .bind(email_normalized)
        .bind(now + LIFETIME)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Sets the code that is about to be mailed, in place of one that was mailed before. `false`: it is too late.
pub async fn set_code(
    tx: &mut Tx,
    handle: &SecretHash,
    user_id: UserId,
    code: &SecretHash,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE mailed_codes SET user_id = $2, code_hash = $3
             WHERE handle_hash = $1 AND expires_at > $4 AND attempts < $5",
        )
        .bind(handle)
        .bind(user_id)
        .bind(code)
        .bind(now)
        .bind(ATTEMPTS)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// The address that a code was asked for with, in the browser that asked.
pub async fn find_email(
    conn: &mut Conn,
    handle: &SecretHash,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<String>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar(
            "SELECT email FROM mailed_codes WHERE handle_hash = $1 AND browser = $2 AND expires_at > $3",
        )
        .bind(handle)
        .bind(browser)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Counts a try, before it is made: racers cannot all make the last one. `false`: there are none left. Until this
/// transaction ends nobody else tries.
pub async fn count(
    tx: &mut Tx,
    handle: &SecretHash,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE mailed_codes SET attempts = attempts + 1
             WHERE handle_hash = $1 AND browser = $2 AND expires_at > $3 AND attempts < $4",
        )
        .bind(handle)
        .bind(browser)
        .bind(now)
        .bind(ATTEMPTS)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Spends a code while its holder has the address that it was mailed to.
pub async fn spend(
    tx: &mut Tx,
    handle: &SecretHash,
    browser: &SecretHash,
    code: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<UserId>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "DELETE FROM mailed_codes
             WHERE handle_hash = $1 AND browser = $2 AND code_hash = $3 AND expires_at > $4
               AND EXISTS (
                   SELECT 1 FROM users
                   WHERE users.id = user_id AND users.email_normalized = mailed_codes.email_normalized)
             RETURNING user_id",
        )
        .bind(handle)
        .bind(browser)
        .bind(code)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}
