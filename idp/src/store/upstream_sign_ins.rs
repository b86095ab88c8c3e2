//! Log-ins that are under way at another provider: each comes back once, in the browser that it began in.

use chrono::{DateTime, TimeDelta, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Error, Tx, UserId};

/// What the provider's answer is judged by.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UpstreamSignIn {
    pub nonce: String,
    pub code_verifier: String,
    /// What the page carried that it began on, form-encoded.
    pub journey: String,
    /// Who wants to link what comes back.
    pub user_id: Option<UserId>,
    /// How long ago they may have proved there who they are, in seconds.
    pub max_age: Option<i64>,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(
    tx: &mut Tx,
    state: &SecretHash,
    browser: &SecretHash,
    upstream: &str,
    row: &UpstreamSignIn,
    patience: TimeDelta,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO upstream_sign_ins (state_hash, browser, upstream, nonce, code_verifier, journey, user_id,
                 max_age, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(state)
        .bind(browser)
        .bind(upstream)
        .bind(&row.nonce)
        .bind(&row.code_verifier)
        .bind(&row.journey)
        .bind(row.user_id)
        .bind(row.max_age)
        .bind(row.created_at)
        .bind(row.created_at + patience)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Spends a state: of any number of callers, one gets what it stands for. Another browser's and another
/// provider's are not spent.
pub async fn redeem(
    tx: &mut Tx,
    state: &SecretHash,
    browser: &SecretHash,
    upstream: &str,
    now: DateTime<Utc>,
) -> Result<Option<UpstreamSignIn>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "DELETE FROM upstream_sign_ins
             WHERE state_hash = $1 AND browser = $2 AND upstream = $3 AND expires_at > $4
             RETURNING nonce, code_verifier, journey, user_id, max_age, created_at",
        )
        .bind(state)
        .bind(browser)
        .bind(upstream)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}
