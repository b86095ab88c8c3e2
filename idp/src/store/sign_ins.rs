//! Log-ins that are under way: a first factor was right, further ones are asked for. Not a session yet, and good for
//! nothing else.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, Tx, UserId, Words, restorations};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SignIn {
    pub token_hash: SecretHash,
    pub user_id: UserId,
    /// What was proved so far.
    #[sqlx(try_from = "String")]
    pub amr: Words,
    /// When the first of it was.
    pub created_at: DateTime<Utc>,
    /// Of the person.
    pub email: String,
}

#[derive(Debug)]
pub struct NewSignIn<'a> {
    pub token_hash: &'a SecretHash,
    pub browser: &'a SecretHash,
    pub user_id: UserId,
    pub amr: &'a Words,
    /// When it was proved.
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(tx: &mut Tx, new: &NewSignIn<'_>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO sign_ins (token_hash, browser, user_id, amr, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(new.token_hash)
        .bind(new.browser)
        .bind(new.user_id)
        .bind(new.amr.to_string())
        .bind(new.created_at)
        .bind(new.expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// The one that a cookie names, in the browser that began it, of somebody who is alive.
pub async fn find(
    conn: &mut Conn,
    token: &SecretHash,
    browser: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<SignIn>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT token_hash, user_id, amr, sign_ins.created_at, email
             FROM sign_ins JOIN users ON users.id = user_id AND disabled_at IS NULL
             WHERE token_hash = $1 AND browser = $2 AND expires_at > $3",
        )
        .bind(token)
        .bind(browser)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Counts a code before it is judged: racers cannot all pass on the same count. How many there were, this one included;
/// `None` when it has ended.
pub async fn count(tx: &mut Tx, token: &SecretHash, now: DateTime<Utc>) -> Result<Option<i64>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE sign_ins SET attempts = attempts + 1 WHERE token_hash = $1 AND expires_at > $2
             RETURNING attempts",
        )
        .bind(token)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Ends it, for a session or for none. Of any number of concurrent callers, one is told `true`.
pub async fn spend(tx: &mut Tx, token: &SecretHash, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM sign_ins WHERE token_hash = $1 AND expires_at > $2")
            .bind(token)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

/// What a person has under way does not outlive their password.
pub async fn end_all(tx: &mut Tx, user_id: UserId) -> Result<(), Error> {
    on_conn!(&mut *tx, |conn| {
        sqlx::query("DELETE FROM sign_ins WHERE user_id = $1").bind(user_id).execute(conn).await.map(drop)
    })?;
    restorations::end_all(tx, user_id).await
}
