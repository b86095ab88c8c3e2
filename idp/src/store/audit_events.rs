//! What happened. Rows are only added, and removed from the oldest end; triggers refuse everything else. What makes
//! them a chain is known to [`crate::audit`].

use chrono::{DateTime, Utc};
use platform::on_conn;
use uuid::Uuid;

use super::{ClientId, Conn, Error, SessionId, Tx, UserId};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuditEvent {
    /// From 1, without gaps.
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub event: String,
    /// Whom it is about.
    pub user_id: Option<UserId>,
    pub client_id: Option<ClientId>,
    pub session_id: Option<SessionId>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<Uuid>,
    /// `success` or `failure`
    pub outcome: String,
    /// A JSON object.
    pub details: String,
    pub mac: Vec<u8>,
}

/// Both ends of what is kept; an end without an event has no `mac` and no `tag`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// Of the newest event.
    pub seq: i64,
    pub mac: Vec<u8>,
    pub tag: Vec<u8>,
    /// Of the newest event that was removed.
    pub anchor_seq: i64,
    pub anchor_mac: Vec<u8>,
    pub anchor_tag: Vec<u8>,
}

/// Takes the next place in the log, with the `mac` and the `tag` of the event before it. Whoever asks next waits until
/// this transaction has ended.
pub async fn next(tx: &mut Tx) -> Result<(i64, Vec<u8>, Vec<u8>), Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as("UPDATE audit_head SET seq = seq + 1 RETURNING seq, mac, tag").fetch_one(conn).await
    })
}

/// Fills the place that [`next`] took.
pub async fn insert(tx: &mut Tx, event: &AuditEvent, tag: &[u8]) -> Result<(), Error> {
    on_conn!(&mut *tx, |conn| {
        sqlx::query(
            "INSERT INTO audit_events (seq, at, event, user_id, client_id, session_id, address, user_agent, request_id,
                 outcome, details, mac)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(event.seq)
        .bind(event.at)
        .bind(&event.event)
        .bind(event.user_id)
        .bind(&event.client_id)
        .bind(event.session_id)
        .bind(&event.address)
        .bind(&event.user_agent)
        .bind(event.request_id)
        .bind(&event.outcome)
        .bind(&event.details)
        .bind(&event.mac)
        .execute(conn)
        .await
        .map(drop)
    })?;
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE audit_head SET mac = $1, tag = $2")
            .bind(&event.mac)
            .bind(tag)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// `None`: somebody has removed it.
pub async fn head(conn: &mut Conn) -> Result<Option<Head>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as("SELECT seq, mac, tag, anchor_seq, anchor_mac, anchor_tag FROM audit_head")
            .fetch_optional(conn)
            .await
    })
}

/// The newest there is, whatever the head says.
pub async fn last_seq(conn: &mut Conn) -> Result<Option<i64>, Error> {
    on_conn!(conn, |conn| sqlx::query_scalar("SELECT max(seq) FROM audit_events").fetch_one(conn).await)
}

/// Oldest first, after `after`.
pub async fn list(conn: &mut Conn, after: i64, limit: i64) -> Result<Vec<AuditEvent>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT seq, at, event, user_id, client_id, session_id, address, user_agent, request_id, outcome, details, mac
             FROM audit_events WHERE seq > $1 ORDER BY seq LIMIT $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await
    })
}

/// An event, and what those that it names are called now.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Listed {
    #[sqlx(flatten)]
    pub event: AuditEvent,
    pub client_name: Option<String>,
    pub user_email: Option<String>,
}

/// Which events somebody wants to see.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub event: Option<String>,
    pub since: Option<DateTime<Utc>>,
    /// Those before this one.
    pub before: Option<i64>,
}

/// Newest first.
pub async fn search(conn: &mut Conn, wanted: &Wanted, limit: i64) -> Result<Vec<Listed>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT seq, at, event, user_id, client_id, session_id, address, user_agent, request_id, outcome, details, mac,
                    clients.name AS client_name, users.email AS user_email
             FROM audit_events LEFT JOIN clients ON clients.id = client_id LEFT JOIN users ON users.id = user_id
             WHERE ($1 IS NULL OR event = $1) AND ($2 IS NULL OR at >= $2) AND ($3 IS NULL OR seq < $3)
             ORDER BY seq DESC LIMIT $4",
        )
        .bind(&wanted.event)
        .bind(wanted.since)
        .bind(wanted.before)
        .bind(limit)
        .fetch_all(conn)
        .await
    })
}

/// Of one person, newest first; by the index.
pub async fn search_of(
    conn: &mut Conn,
    user_id: UserId,
    wanted: &Wanted,
    limit: i64,
) -> Result<Vec<Listed>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT seq, at, event, user_id, client_id, session_id, address, user_agent, request_id, outcome, details, mac,
                    clients.name AS client_name, users.email AS user_email
             FROM audit_events LEFT JOIN clients ON clients.id = client_id LEFT JOIN users ON users.id = user_id
             WHERE user_id = $5
               AND ($1 IS NULL OR event = $1) AND ($2 IS NULL OR at >= $2) AND ($3 IS NULL OR seq < $3)
             ORDER BY seq DESC LIMIT $4",
        )
        .bind(&wanted.event)
        .bind(wanted.since)
        .bind(wanted.before)
        .bind(limit)
        .bind(user_id)
        .fetch_all(conn)
        .await
    })
}

/// Removes everything up to `seq`, whose `mac` the next event goes on from. `false`: another node has done it.
pub async fn remove(tx: &mut Tx, seq: i64, mac: &[u8], tag: &[u8]) -> Result<bool, Error> {
    let moved = on_conn!(&mut *tx, |conn| {
        sqlx::query(
            "UPDATE audit_head SET anchor_seq = $1, anchor_mac = $2, anchor_tag = $3 WHERE anchor_seq < $1",
        )
        .bind(seq)
        .bind(mac)
        .bind(tag)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })?;
    if moved {
        on_conn!(tx, |conn| {
            sqlx::query("DELETE FROM audit_events WHERE seq <= $1").bind(seq).execute(conn).await.map(drop)
        })?;
    }
    Ok(moved)
}
