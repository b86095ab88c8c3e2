//! Sessions: one row for a person in a browser. The row is the truth: what is deleted is logged out.

use chrono::{DateTime, Utc};
use platform::{
    db::{Conn, Error, Tx, on_conn},
    secret::SecretHash,
};

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Session {
    /// Encrypted; see `session::Sealed`.
    pub(crate) sealed: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) access_token_expires_at: DateTime<Utc>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_seen_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    /// What the provider calls it and the person (`sid`, `sub`); `None` in rows of older versions.
    pub(crate) sid_hash: Option<SecretHash>,
    pub(crate) subject_hash: Option<SecretHash>,
}

pub(crate) async fn insert(tx: &mut Tx, id: &SecretHash, session: &Session) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO sessions
             (id_hash, sealed, version, access_token_expires_at, created_at, last_seen_at, expires_at,
              sid_hash, subject_hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id)
        .bind(&session.sealed)
        .bind(session.version)
        .bind(session.access_token_expires_at)
        .bind(session.created_at)
        .bind(session.last_seen_at)
        .bind(session.expires_at)
        .bind(&session.sid_hash)
        .bind(&session.subject_hash)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// The session, if it is alive: not past its end, and used since `idle_since`.
pub(crate) async fn find(
    conn: &mut Conn,
    id: &SecretHash,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<Session>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT sealed, version, access_token_expires_at, created_at, last_seen_at, expires_at,
                    sid_hash, subject_hash
             FROM sessions WHERE id_hash = $1 AND expires_at > $2 AND last_seen_at > $3",
        )
        .bind(id)
        .bind(now)
        .bind(idle_since)
        .fetch_optional(conn)
        .await
    })
}

pub(crate) async fn touch(tx: &mut Tx, id: &SecretHash, now: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE sessions SET last_seen_at = $2 WHERE id_hash = $1 AND last_seen_at < $2")
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Keeps the tokens of a refresh that began from `version`; `false` when another refresh was first, or
/// the session has ended meanwhile.
pub(crate) async fn refresh(
    tx: &mut Tx,
    id: &SecretHash,
    version: i64,
    sealed: &[u8],
    access_token_expires_at: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE sessions SET sealed = $3, access_token_expires_at = $4, version = version + 1
             WHERE id_hash = $1 AND version = $2",
        )
        .bind(id)
        .bind(version)
        .bind(sealed)
        .bind(access_token_expires_at)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

pub(crate) async fn delete(tx: &mut Tx, id: &SecretHash) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM sessions WHERE id_hash = $1").bind(id).execute(conn).await.map(drop)
    })
}

/// Ends what the provider knows under this `sid`; returns how many sessions that were.
pub(crate) async fn delete_by_sid(tx: &mut Tx, sid: &SecretHash) -> Result<u64, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM sessions WHERE sid_hash = $1")
            .bind(sid)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })
}

/// Ends all sessions of a person; returns how many.
pub(crate) async fn delete_by_subject(tx: &mut Tx, subject: &SecretHash) -> Result<u64, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM sessions WHERE subject_hash = $1")
            .bind(subject)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })
}
