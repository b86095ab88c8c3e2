//! People who have proved who they are, and are asked whether to keep an account that is to be deleted. Not a
//! session, and good for nothing else.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, Tx, UserId, Words};

#[derive(Debug)]
pub struct NewRestoration<'a> {
    /// Of the cookie's value.
    pub token_hash: &'a SecretHash,
    pub user_id: UserId,
    /// What was proved.
    pub amr: &'a Words,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(tx: &mut Tx, new: &NewRestoration<'_>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("INSERT INTO restorations (token_hash, user_id, amr, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(new.token_hash)
            .bind(new.user_id)
            .bind(new.amr.to_string())
            .bind(new.expires_at)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// When the account will be deleted that a cookie can keep.
pub async fn find(
    conn: &mut Conn,
    token: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar(
            "SELECT delete_at FROM restorations JOIN users ON users.id = user_id
             WHERE token_hash = $1 AND expires_at > $2 AND disabled_at IS NULL AND delete_at IS NOT NULL",
        )
        .bind(token)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Spends one: whose it was, and what they had proved. Of any number of concurrent callers, one is told.
pub async fn spend(
    tx: &mut Tx,
    token: &SecretHash,
    now: DateTime<Utc>,
) -> Result<Option<(UserId, Words)>, Error> {
    let spent: Option<(UserId, String)> = on_conn!(tx, |conn| {
        sqlx::query_as(
            "DELETE FROM restorations WHERE token_hash = $1 AND expires_at > $2 RETURNING user_id, amr",
        )
        .bind(token)
        .bind(now)
        .fetch_optional(conn)
        .await
    })?;
    Ok(spent.map(|(user_id, amr)| (user_id, Words::from(amr))))
}

/// None that a person was offered is good any more.
pub async fn end_all(tx: &mut Tx, user_id: UserId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM restorations WHERE user_id = $1").bind(user_id).execute(conn).await.map(drop)
    })
}
