//! Who somebody is elsewhere: an issuer and a subject belong to one person here.

use chrono::{DateTime, Utc};
use platform::on_conn;

use super::{Conn, Error, Tx, UserId};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UpstreamIdentity {
    pub issuer: String,
    pub subject: String,
    /// What the person knows it by: the address or the name there when it was linked.
    pub label: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
}

pub async fn find_user(conn: &mut Conn, issuer: &str, subject: &str) -> Result<Option<UserId>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT user_id FROM upstream_identities WHERE issuer = $1 AND subject = $2")
            .bind(issuer)
            .bind(subject)
            .fetch_optional(conn)
            .await
    })
}

/// Whose identity this is; notes that they have used it. Until the transaction
/// ends nobody can unlink it.
pub async fn enter(
    tx: &mut Tx,
    issuer: &str,
    subject: &str,
    now: DateTime<Utc>,
) -> Result<Option<UserId>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE upstream_identities SET last_used_at = $3 WHERE issuer = $1 AND subject = $2
             RETURNING user_id",
        )
        .bind(issuer)
        .bind(subject)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// A person's identities, oldest first.
pub async fn list(conn: &mut Conn, user_id: UserId) -> Result<Vec<UpstreamIdentity>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT issuer, subject, label, created_at, last_used_at FROM upstream_identities
             WHERE user_id = $1 ORDER BY created_at, issuer, subject",
        )
        .bind(user_id)
        .fetch_all(conn)
        .await
    })
}

/// `false` when it is somebody's already.
pub async fn insert(tx: &mut Tx, user_id: UserId, row: &UpstreamIdentity) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO upstream_identities (issuer, subject, user_id, label, created_at, last_used_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (issuer, subject) DO NOTHING",
        )
        .bind(&row.issuer)
        .bind(&row.subject)
        .bind(user_id)
        .bind(&row.label)
        .bind(row.created_at)
        .bind(row.last_used_at)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

pub async fn delete(tx: &mut Tx, issuer: &str, subject: &str, user_id: UserId) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM upstream_identities WHERE issuer = $1 AND subject = $2 AND user_id = $3")
            .bind(issuer)
            .bind(subject)
            .bind(user_id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}
