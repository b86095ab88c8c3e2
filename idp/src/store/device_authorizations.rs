//! Device authorizations, RFC 8628: each allowed or refused by one person, and good once for the client that asked.

use chrono::{DateTime, TimeDelta, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{ClientId, Conn, Error, GrantId, SessionId, Tx, grants::Moment};

/// What a device asks for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DeviceAuthorization {
    pub client_id: ClientId,
    pub scope: String,
    /// Space-separated; may be empty.
    pub audience: String,
    /// That it was asked from.
    pub address: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What a poll is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    Granted(GrantId),
    Pending,
    /// It came before the interval was over.
    TooSoon,
    Denied,
    Expired,
    /// Unknown, another client's, used before, or what it was allowed has ended.
    Refused,
}

/// `false` when the user code is taken.
pub async fn insert(
    tx: &mut Tx,
    device_code: &SecretHash,
    user_code: &SecretHash,
    row: &DeviceAuthorization,
    interval: TimeDelta,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO device_authorizations (device_code_hash, user_code_hash, client_id, scope, audience, address,
                 created_at, expires_at, poll_interval)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (user_code_hash) DO NOTHING",
        )
        .bind(device_code)
        .bind(user_code)
        .bind(&row.client_id)
        .bind(&row.scope)
        .bind(&row.audience)
        .bind(&row.address)
        .bind(row.created_at)
        .bind(row.expires_at)
        .bind(interval.num_seconds())
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Notes that a user code was entered in a session: nobody else decides then. `false` when it is unknown,
/// has expired, or was decided.
pub async fn claim(
    tx: &mut Tx,
    user_code: &SecretHash,
    session_id: SessionId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE device_authorizations SET session_id = $2
             WHERE user_code_hash = $1 AND expires_at > $3 AND decided_at IS NULL",
        )
        .bind(user_code)
        .bind(session_id)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// What waits for the decision of the session in which its user code was entered.
pub async fn find(
    conn: &mut Conn,
    user_code: &SecretHash,
    session_id: SessionId,
    now: DateTime<Utc>,
) -> Result<Option<DeviceAuthorization>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT client_id, scope, audience, address, created_at, expires_at FROM device_authorizations
             WHERE user_code_hash = $1 AND session_id = $2 AND expires_at > $3 AND decided_at IS NULL",
        )
        .bind(user_code)
        .bind(session_id)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Decides: with the grant when it was allowed. Of any number of answers, one counts.
pub async fn decide(
    tx: &mut Tx,
    user_code: &SecretHash,
    session_id: SessionId,
    grant_id: Option<GrantId>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE device_authorizations SET decided_at = $4, grant_id = $3
             WHERE user_code_hash = $1 AND session_id = $2 AND expires_at > $4 AND decided_at IS NULL",
        )
        .bind(user_code)
        .bind(session_id)
        .bind(grant_id)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Spends a device code that was allowed: of any number of concurrent callers, one is granted. Otherwise
/// notes when it was asked for; who asks too soon has to wait longer from then on (§3.5).
pub async fn poll(
    tx: &mut Tx,
    device_code: &SecretHash,
    client_id: &ClientId,
    slower_by: TimeDelta,
    moment: Moment,
) -> Result<Poll, Error> {
    let spent = on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE device_authorizations SET consumed_at = $3
             WHERE device_code_hash = $1 AND client_id = $2 AND expires_at > $3 AND consumed_at IS NULL
               AND EXISTS (
                   SELECT 1 FROM live_grants
                   WHERE live_grants.id = grant_id AND session_ended_at IS NULL
                     AND session_expires_at > $3 AND session_seen_at > $4)
             RETURNING grant_id",
        )
        .bind(device_code)
        .bind(client_id)
        .bind(moment.now)
        .bind(moment.seen_after)
        .fetch_optional(conn)
        .await
    })?;
    match spent {
        Some(grant_id) => Ok(Poll::Granted(grant_id)),
        None => wait(tx, device_code, client_id, slower_by, moment.now).await,
    }
}

#[derive(sqlx::FromRow)]
struct Waiting {
    poll_interval: i64,
    polled_at: Option<DateTime<Utc>>,
    decided_at: Option<DateTime<Utc>>,
    grant_id: Option<GrantId>,
    consumed_at: Option<DateTime<Utc>>,
    expires_at: DateTime<Utc>,
}

async fn wait(
    tx: &mut Tx,
    device_code: &SecretHash,
    client_id: &ClientId,
    slower_by: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Poll, Error> {
    // Changes nothing, and keeps other polls from reading until this one is noted.
    let found: Option<Waiting> = on_conn!(&mut *tx, |conn| {
        sqlx::query_as(
            "UPDATE device_authorizations SET poll_interval = poll_interval
             WHERE device_code_hash = $1 AND client_id = $2
             RETURNING poll_interval, polled_at, decided_at, grant_id, consumed_at, expires_at",
        )
        .bind(device_code)
        .bind(client_id)
        .fetch_optional(conn)
        .await
    })?;
    let Some(found) = found else { return Ok(Poll::Refused) };
    match found {
        Waiting { consumed_at: Some(_), .. } => return Ok(Poll::Refused),
        Waiting { expires_at, .. } if expires_at <= now => return Ok(Poll::Expired),
        Waiting { grant_id: Some(_), .. } => return Ok(Poll::Refused),
        Waiting { decided_at: Some(_), .. } => return Ok(Poll::Denied),
        Waiting { .. } => {}
    }
    let interval = TimeDelta::seconds(found.poll_interval);
    let too_soon = found.polled_at.is_some_and(|polled_at| now < polled_at + interval);
    let interval = if too_soon { interval + slower_by } else { interval };
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE device_authorizations SET polled_at = $2, poll_interval = $3 WHERE device_code_hash = $1",
        )
        .bind(device_code)
        .bind(now)
        .bind(interval.num_seconds())
        .execute(conn)
        .await
        .map(drop)
    })?;
    Ok(if too_soon { Poll::TooSoon } else { Poll::Pending })
}
