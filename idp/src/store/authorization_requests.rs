//! Authorization requests that wait for a person, kept here so that nothing the browser sends back is believed.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, Tx};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuthorizationRequest {
    /// As they were sent, form-encoded.
    pub parameters: String,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(
    tx: &mut Tx,
    handle: &SecretHash,
    browser: &SecretHash,
    parameters: &str,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO authorization_requests (handle_hash, browser, parameters, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(handle)
        .bind(browser)
        .bind(parameters)
        .bind(now)
        .bind(expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// The request behind a handle, if it is this browser's and still waits.
pub async fn find(
    conn: &mut Conn,
    handle: &SecretHash,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<AuthorizationRequest>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT parameters, created_at FROM authorization_requests
             WHERE handle_hash = $1 AND browser = $2 AND expires_at > $3",
        )
        .bind(handle)
        .bind(browser)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Ends the wait: of any number of answers to one request, one is taken.
pub async fn spend(
    tx: &mut Tx,
    handle: &SecretHash,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "DELETE FROM authorization_requests WHERE handle_hash = $1 AND browser = $2 AND expires_at > $3",
        )
        .bind(handle)
        .bind(browser)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}
