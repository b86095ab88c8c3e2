//! Passkeys: credentials of Web Authentication, each of one person.

use chrono::{DateTime, Utc};
use platform::on_conn;

use super::{Conn, Error, PasskeyId, Tx, UserId};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Passkey {
    pub id: PasskeyId,
    pub user_id: UserId,
    pub name: String,
    /// JSON, as the ceremonies know it.
    pub credential: String,
    /// It is on more than one device.
    pub backed_up: bool,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A person's, oldest first.
pub async fn list(conn: &mut Conn, user_id: UserId) -> Result<Vec<Passkey>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, user_id, name, credential, backed_up, created_at, last_used_at
             FROM passkeys WHERE user_id = $1 ORDER BY id",
        )
        .bind(user_id)
        .fetch_all(conn)
        .await
    })
}

pub async fn find(conn: &mut Conn, user_id: UserId, id: PasskeyId) -> Result<Option<Passkey>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, user_id, name, credential, backed_up, created_at, last_used_at
             FROM passkeys WHERE user_id = $1 AND id = $2",
        )
        .bind(user_id)
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

pub async fn any(conn: &mut Conn, user_id: UserId) -> Result<bool, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM passkeys WHERE user_id = $1)")
            .bind(user_id)
            .fetch_one(conn)
            .await
    })
}

/// The one that an authenticator names. Nobody else judges it until this transaction ends: of two answers with the
/// same counter, the second sees what the first has made of it.
pub async fn lock(tx: &mut Tx, credential_id: &[u8]) -> Result<Option<Passkey>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "UPDATE passkeys SET name = name WHERE credential_id = $1
             RETURNING id, user_id, name, credential, backed_up, created_at, last_used_at",
        )
        .bind(credential_id)
        .fetch_optional(conn)
        .await
    })
}

#[derive(Debug)]
pub struct NewPasskey<'a> {
    pub credential_id: &'a [u8],
    pub user_id: UserId,
    pub name: &'a str,
    pub credential: &'a str,
    pub backed_up: bool,
}

/// `false` when somebody has this credential already.
pub async fn insert(tx: &mut Tx, new: &NewPasskey<'_>, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO passkeys (id, credential_id, user_id, name, credential, backed_up, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (credential_id) DO NOTHING",
        )
        .bind(PasskeyId::new())
        .bind(new.credential_id)
        .bind(new.user_id)
        .bind(new.name)
        .bind(new.credential)
        .bind(new.backed_up)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Somebody has proved with it who they are: keeps its counter and whether it is on more than one device.
pub async fn used(
    tx: &mut Tx,
    id: PasskeyId,
    credential: &str,
    backed_up: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE passkeys SET credential = $2, backed_up = $3, last_used_at = $4 WHERE id = $1")
            .bind(id)
            .bind(credential)
            .bind(backed_up)
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// `false`: this person has no such passkey.
pub async fn rename(tx: &mut Tx, user_id: UserId, id: PasskeyId, name: &str) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE passkeys SET name = $3 WHERE user_id = $1 AND id = $2")
            .bind(user_id)
            .bind(id)
            .bind(name)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

/// `false`: this person has no such passkey.
pub async fn remove(tx: &mut Tx, user_id: UserId, id: PasskeyId) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM passkeys WHERE user_id = $1 AND id = $2")
            .bind(user_id)
            .bind(id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}
