//! People who have come from another provider and whom nobody here is, while they decide who they are here.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, Tx, UserId};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UpstreamArrival {
    /// The provider's id in the configuration.
    pub upstream: String,
    pub issuer: String,
    pub subject: String,
    /// May be empty.
    pub name: String,
    /// As the provider says it.
    pub email: Option<String>,
    /// That it is theirs, by a provider that is believed.
    pub email_verified: bool,
    /// What the page carried that they began on, form-encoded.
    pub journey: String,
    /// Who asked to link it.
    pub user_id: Option<UserId>,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(
    tx: &mut Tx,
    handle: &SecretHash,
    browser: &SecretHash,
    row: &UpstreamArrival,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO upstream_arrivals (handle_hash, browser, upstream, issuer, subject, name, email,
                 email_verified, journey, user_id, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(handle)
        .bind(browser)
        .bind(&row.upstream)
        .bind(&row.issuer)
        .bind(&row.subject)
        .bind(&row.name)
        .bind(&row.email)
        .bind(row.email_verified)
        .bind(&row.journey)
        .bind(row.user_id)
        .bind(row.expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Who stands behind a handle, if they came in this browser and still wait.
pub async fn find(
    conn: &mut Conn,
    handle: &SecretHash,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<UpstreamArrival>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT upstream, issuer, subject, name, email, email_verified, journey, user_id, expires_at
             FROM upstream_arrivals WHERE handle_hash = $1 AND browser = $2 AND expires_at > $3",
        )
        .bind(handle)
        .bind(browser)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Ends the wait: of any number of decisions, one counts.
pub async fn spend(
    tx: &mut Tx,
    handle: &SecretHash,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "DELETE FROM upstream_arrivals WHERE handle_hash = $1 AND browser = $2 AND expires_at > $3",
        )
        .bind(handle)
        .bind(browser)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}
