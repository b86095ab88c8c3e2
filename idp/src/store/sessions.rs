//! Log-ins: the row is the truth, the cookie only names it.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, SessionId, Tx, UserId, Words, grants::Moment, logout_deliveries};

/// A session that is alive, with the person it belongs to.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    /// When the person last proved who they are.
    pub auth_time: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    /// How they did, RFC 8176.
    #[sqlx(try_from = "String")]
    pub amr: Words,
    pub email: String,
    pub name: String,
}

/// The session that a cookie names, unless it or its owner has ended. `seen_after`: the idle limit.
pub async fn find_live(
    conn: &mut Conn,
    token: &SecretHash,
    now: DateTime<Utc>,
    seen_after: DateTime<Utc>,
) -> Result<Option<Session>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT sessions.id, user_id, auth_time, last_seen_at, amr, email, name
             FROM sessions JOIN users ON users.id = user_id
             WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2 AND last_seen_at > $3
               AND disabled_at IS NULL AND delete_at IS NULL",
        )
        .bind(token)
        .bind(now)
        .bind(seen_after)
        .fetch_optional(conn)
        .await
    })
}

/// A log-in, as a session keeps it.
#[derive(Debug)]
pub struct LogIn<'a> {
    /// Of the cookie's value.
    pub token: &'a SecretHash,
    pub amr: &'a Words,
    /// When the first of it was proved.
    pub auth_time: DateTime<Utc>,
    /// `User-Agent`, cut to what is kept.
    pub user_agent: &'a str,
    pub address: IpAddr,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(
    tx: &mut Tx,
    user_id: UserId,
    log_in: &LogIn<'_>,
    now: DateTime<Utc>,
) -> Result<SessionId, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "INSERT INTO sessions (id, token_hash, user_id, auth_time, created_at, last_seen_at, expires_at,
                 amr, user_agent, address)
             VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9)
             RETURNING id",
        )
        .bind(SessionId::new())
        .bind(log_in.token)
        .bind(user_id)
        .bind(log_in.auth_time)
        .bind(now)
        .bind(log_in.expires_at)
        .bind(log_in.amr.to_string())
        .bind(log_in.user_agent)
        .bind(log_in.address.to_string())
        .fetch_one(conn)
        .await
    })
}

/// The person has proved again who they are: the session goes on, under another cookie.
pub async fn renew(tx: &mut Tx, id: SessionId, log_in: &LogIn<'_>, now: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE sessions SET token_hash = $2, auth_time = $8, last_seen_at = $3, expires_at = $4,
                 amr = $5, user_agent = $6, address = $7
             WHERE id = $1 AND ended_at IS NULL",
        )
        .bind(id)
        .bind(log_in.token)
        .bind(now)
        .bind(log_in.expires_at)
        .bind(log_in.amr.to_string())
        .bind(log_in.user_agent)
        .bind(log_in.address.to_string())
        .bind(log_in.auth_time)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// A session that is shown to its owner.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Live {
    pub id: SessionId,
    /// `User-Agent`; may be empty.
    pub user_agent: String,
    /// That it was used from last; may be empty.
    pub address: String,
    pub created_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
}

/// Where a person is logged in, used last first.
pub async fn list_live(conn: &mut Conn, user_id: UserId, moment: Moment) -> Result<Vec<Live>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, user_agent, address, created_at, last_seen_at FROM sessions
             WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_seen_at > $3
             ORDER BY last_seen_at DESC, id",
        )
        .bind(user_id)
        .bind(moment.now)
        .bind(moment.seen_after)
        .fetch_all(conn)
        .await
    })
}

/// Puts a session under another cookie.
pub async fn set_token(tx: &mut Tx, id: SessionId, token: &SecretHash) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE sessions SET token_hash = $2 WHERE id = $1 AND ended_at IS NULL")
            .bind(id)
            .bind(token)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Its browser has used it.
pub async fn seen(tx: &mut Tx, id: SessionId, address: IpAddr, now: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE sessions SET last_seen_at = $3, address = $2 WHERE id = $1 AND last_seen_at < $3")
            .bind(id)
            .bind(address.to_string())
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// A client has used what it got by it.
pub async fn touch(tx: &mut Tx, id: SessionId, now: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2")
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Ends a session; what is bound to it ends with it (`live_grants`), and clients are told.
pub async fn end(tx: &mut Tx, id: SessionId, now: DateTime<Utc>) -> Result<(), Error> {
    let ended = on_conn!(&mut *tx, |conn| {
        sqlx::query_scalar(
            "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id",
        )
        .bind(id)
        .bind(now)
        .fetch_all(conn)
        .await
    })?;
    tell(tx, ended, now).await
}

/// Ends a session of a person's own; `false` when it is not theirs, or has ended.
pub async fn end_own(tx: &mut Tx, user_id: UserId, id: SessionId, now: DateTime<Utc>) -> Result<bool, Error> {
    let ended: Vec<SessionId> = on_conn!(&mut *tx, |conn| {
        sqlx::query_scalar(
            "UPDATE sessions SET ended_at = $3 WHERE id = $2 AND user_id = $1 AND ended_at IS NULL
             RETURNING id",
        )
        .bind(user_id)
        .bind(id)
        .bind(now)
        .fetch_all(conn)
        .await
    })?;
    let found = !ended.is_empty();
    tell(tx, ended, now).await?;
    Ok(found)
}

/// Ends every session of a person but one.
pub async fn end_others(
    tx: &mut Tx,
    user_id: UserId,
    kept: SessionId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let ended = on_conn!(&mut *tx, |conn| {
        sqlx::query_scalar(
            "UPDATE sessions SET ended_at = $3 WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL
             RETURNING id",
        )
        .bind(user_id)
        .bind(kept)
        .bind(now)
        .fetch_all(conn)
        .await
    })?;
    tell(tx, ended, now).await
}

/// Ends every session of a person.
pub async fn end_all(tx: &mut Tx, user_id: UserId, now: DateTime<Utc>) -> Result<(), Error> {
    let ended = on_conn!(&mut *tx, |conn| {
        sqlx::query_scalar(
            "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL RETURNING id",
        )
        .bind(user_id)
        .bind(now)
        .fetch_all(conn)
        .await
    })?;
    tell(tx, ended, now).await
}

/// No session ends without this. Only who has ended one gets here with it: nobody is told twice.
async fn tell(tx: &mut Tx, ended: Vec<SessionId>, now: DateTime<Utc>) -> Result<(), Error> {
    for id in ended {
        logout_deliveries::insert(tx, id, now).await?;
    }
    Ok(())
}
