//! Log-ins that are under way at the identity provider.

use chrono::{DateTime, Utc};
use platform::{
    db::{Error, Tx, on_conn},
    secret::SecretHash,
};

/// What the callback needs to finish a log-in.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Login {
    pub(crate) nonce: String,
    pub(crate) code_verifier: String,
    /// A local path.
    pub(crate) return_to: String,
    /// What the log-in has to be like: at most so many seconds old when it was asked for,
    pub(crate) max_age: Option<i64>,
    /// and of one of these kinds; space-separated.
    pub(crate) acr_values: Option<String>,
    pub(crate) expires_at: DateTime<Utc>,
}

pub(crate) async fn insert(
    tx: &mut Tx,
    state: &SecretHash,
    browser: &SecretHash,
    login: &Login,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO logins (state_hash, browser, nonce, code_verifier, return_to, max_age, acr_values, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(state)
        .bind(browser)
        .bind(&login.nonce)
        .bind(&login.code_verifier)
        .bind(&login.return_to)
        .bind(login.max_age)
        .bind(&login.acr_values)
        .bind(login.expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Spends a log-in: whoever presents its state first, in the browser that began it, gets it; once.
pub(crate) async fn redeem(
    tx: &mut Tx,
    state: &SecretHash,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<Login>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "DELETE FROM logins WHERE state_hash = $1 AND browser = $2 AND expires_at > $3
             RETURNING nonce, code_verifier, return_to, max_age, acr_values, expires_at",
        )
        .bind(state)
        .bind(browser)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}
