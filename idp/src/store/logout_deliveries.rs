//! Logout tokens that clients are owed (Back-Channel Logout 1.0): from the end of a session until each client has
//! got its own, or a day has passed.

use chrono::{DateTime, TimeDelta, Utc};
use platform::on_conn;

use super::{ClientId, Conn, Error, SessionId, Tx, UserId};

/// How long a client that cannot be reached is tried again.
const KEPT: TimeDelta = TimeDelta::hours(24);

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LogoutDelivery {
    pub session_id: SessionId,
    pub client_id: ClientId,
    pub user_id: UserId,
    /// This one included.
    pub attempts: i64,
    pub expires_at: DateTime<Utc>,
}

/// Owes one to every client that took part in a session and wants to know of its end.
pub async fn insert(tx: &mut Tx, session_id: SessionId, now: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO logout_deliveries (session_id, client_id, user_id, attempts, due_at, expires_at)
             SELECT DISTINCT grants.session_id, grants.client_id, grants.user_id, 0, $2, $3
             FROM grants JOIN clients ON clients.id = grants.client_id
             WHERE grants.session_id = $1 AND clients.disabled_at IS NULL
               AND clients.backchannel_logout_uri IS NOT NULL
             ON CONFLICT (session_id, client_id) DO NOTHING",
        )
        .bind(session_id)
        .bind(now)
        .bind(now + KEPT)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// For whom [`claim`] would find any, those who have waited longest first. Takes no lock.
pub async fn clients_due(conn: &mut Conn, now: DateTime<Utc>) -> Result<Vec<ClientId>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar(
            "SELECT client_id FROM logout_deliveries WHERE due_at <= $1 AND expires_at > $1
             GROUP BY client_id ORDER BY MIN(due_at)",
        )
        .bind(now)
        .fetch_all(conn)
        .await
    })
}

/// Takes at most `limit` of a client's that are due. Until `lease_ends_at` nobody else gets them: whoever took them
/// has said by then how it went, or is no more.
///
/// Of those that are due at the same time, the one that was tried most often goes first: while a client is down, it
/// alone is tried again, with its long pauses, and the others wait with it.
pub async fn claim(
    tx: &mut Tx,
    client_id: &ClientId,
    limit: i64,
    now: DateTime<Utc>,
    lease_ends_at: DateTime<Utc>,
) -> Result<Vec<LogoutDelivery>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "UPDATE logout_deliveries SET attempts = attempts + 1, due_at = $2
             WHERE due_at <= $1 AND expires_at > $1 AND (session_id, client_id) IN (
                 SELECT session_id, client_id FROM logout_deliveries
                 WHERE client_id = $4 AND due_at <= $1 AND expires_at > $1
                 ORDER BY due_at, attempts DESC LIMIT $3)
             RETURNING session_id, client_id, user_id, attempts, expires_at",
        )
        .bind(now)
        .bind(lease_ends_at)
        .bind(limit)
        .bind(client_id)
        .fetch_all(conn)
        .await
    })
}

/// Puts one back, unless somebody else has taken it meanwhile.
pub async fn postpone(tx: &mut Tx, delivery: &LogoutDelivery, due_at: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE logout_deliveries SET due_at = $4
             WHERE session_id = $1 AND client_id = $2 AND attempts = $3",
        )
        .bind(delivery.session_id)
        .bind(&delivery.client_id)
        .bind(delivery.attempts)
        .bind(due_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Puts off all that a client is owed now.
pub async fn postpone_due(
    tx: &mut Tx,
    client_id: &ClientId,
    now: DateTime<Utc>,
    due_at: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE logout_deliveries SET due_at = $3 WHERE client_id = $1 AND due_at <= $2")
            .bind(client_id)
            .bind(now)
            .bind(due_at)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Nothing is owed any more.
pub async fn delete(tx: &mut Tx, delivery: &LogoutDelivery) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM logout_deliveries WHERE session_id = $1 AND client_id = $2")
            .bind(delivery.session_id)
            .bind(&delivery.client_id)
            .execute(conn)
            .await
            .map(drop)
    })
}
