//! People. `email` is as typed, `email_normalized` is what is unique and looked up.

use chrono::{DateTime, Utc};
use platform::on_conn;
use serde::Serialize;

use super::{Conn, Error, Tx, UserId, mail_links};

/// Claims of OpenID Connect Core §5.1, beside the name and the e-mail address. Its `Debug` shows the names only.
#[derive(Clone, Default, Serialize)]
pub struct PersonClaims(pub serde_json::Map<String, serde_json::Value>);

impl std::fmt::Debug for PersonClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl TryFrom<String> for PersonClaims {
    type Error = serde_json::Error;
    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&text).map(Self)
    }
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub email_verified: bool,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub claims: PersonClaims,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// They asked for it: until then nobody is let in, after it nothing is left.
    pub delete_at: Option<DateTime<Utc>>,
}

impl User {
    /// Whether a log-in can lead anywhere, if only to the question whether to keep the account.
    #[must_use]
    pub fn may_log_in(&self, now: DateTime<Utc>) -> bool {
        self.disabled_at.is_none() && self.delete_at.is_none_or(|delete_at| delete_at > now)
    }
}

/// What log-in compares with.
#[derive(Clone, sqlx::FromRow)]
pub struct Credentials {
    pub id: UserId,
    /// PHC string; none for who logs in by other ways only.
    pub password_hash: Option<String>,
    pub disabled_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

pub async fn find(conn: &mut Conn, id: UserId) -> Result<Option<User>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, email, email_verified, name, claims, created_at, updated_at, disabled_at, delete_at
             FROM users WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(conn)
        .await
    })
}

pub async fn find_by_email(conn: &mut Conn, email_normalized: &str) -> Result<Option<User>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, email, email_verified, name, claims, created_at, updated_at, disabled_at, delete_at
             FROM users WHERE email_normalized = $1",
        )
        .bind(email_normalized)
        .fetch_optional(conn)
        .await
    })
}

pub async fn find_credentials(conn: &mut Conn, email_normalized: &str) -> Result<Option<Credentials>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as("SELECT id, NULLIF(password_hash, '') AS password_hash, disabled_at FROM users WHERE email_normalized = $1")
            .bind(email_normalized)
            .fetch_optional(conn)
            .await
    })
}

/// Until this transaction ends, nobody else who calls this for the same person goes on: what is counted stays counted.
pub async fn lock(tx: &mut Tx, id: UserId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE users SET updated_at = updated_at WHERE id = $1")
            .bind(id)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Everybody, oldest first, after `after`: for operators.
pub async fn list(conn: &mut Conn, after: Option<UserId>, limit: i64) -> Result<Vec<User>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, email, email_verified, name, claims, created_at, updated_at, disabled_at, delete_at
             FROM users WHERE $1 IS NULL OR id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await
    })
}

#[derive(Debug)]
pub struct NewUser<'a> {
    pub email: &'a str,
    pub email_normalized: &'a str,
    pub name: &'a str,
    /// PHC string; none for who logs in by other ways only.
    pub password_hash: Option<&'a str>,
}

/// `None` when somebody has this address already, or can still take it back.
pub async fn insert(tx: &mut Tx, user: NewUser<'_>, now: DateTime<Utc>) -> Result<Option<UserId>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "INSERT INTO users (id, email, email_normalized, email_verified, name, password_hash, created_at, updated_at)
             SELECT $1, $2, $3, FALSE, $4, $5, $6, $6
             WHERE NOT EXISTS (
                 SELECT 1 FROM mail_links
                 WHERE purpose = 'take_back' AND mail_links.email_normalized = $3 AND expires_at > $6)
             ON CONFLICT (email_normalized) DO NOTHING
             RETURNING id",
        )
        .bind(UserId::new())
        .bind(user.email)
        .bind(user.email_normalized)
        .bind(user.name)
        .bind(user.password_hash.unwrap_or_default())
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

pub async fn set_claims(
    tx: &mut Tx,
    id: UserId,
    name: &str,
    claims: PersonClaims,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE users SET name = $2, claims = $3, updated_at = $4 WHERE id = $1")
            .bind(id)
            .bind(name)
            .bind(serde_json::Value::Object(claims.0).to_string())
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

pub async fn set_password(
    tx: &mut Tx,
    id: UserId,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    mail_links::void(tx, id).await?;
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1")
            .bind(id)
            .bind(password_hash)
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// The hash of somebody's password, if they have one.
pub async fn find_password(conn: &mut Conn, id: UserId) -> Result<Option<String>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT password_hash FROM users WHERE id = $1 AND password_hash <> ''")
            .bind(id)
            .fetch_optional(conn)
            .await
    })
}

/// Replaces the hash that was compared, or none. `false`: the password was changed meanwhile.
pub async fn change_password(
    tx: &mut Tx,
    id: UserId,
    old: Option<&str>,
    new: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    mail_links::void(tx, id).await?;
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE users SET password_hash = $3, updated_at = $4 WHERE id = $1 AND password_hash = $2",
        )
        .bind(id)
        .bind(old.unwrap_or_default())
        .bind(new)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Whoever knows the password knows nothing any more.
pub async fn remove_password(tx: &mut Tx, id: UserId, now: DateTime<Utc>) -> Result<(), Error> {
    set_password(tx, id, "", now).await
}

/// Gives somebody another address, which they have confirmed. `false`, and nothing may be committed: somebody else has
/// it, or can still take it back.
pub async fn set_email(
    tx: &mut Tx,
    id: UserId,
    email: &str,
    email_normalized: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    mail_links::void(tx, id).await?;
    let changed = on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE users SET email = $2, email_normalized = $3, email_verified = TRUE, updated_at = $4
             WHERE id = $1
               AND NOT EXISTS (SELECT 1 FROM users AS others WHERE others.email_normalized = $3 AND others.id <> $1)
               AND NOT EXISTS (
                   SELECT 1 FROM mail_links
                   WHERE purpose = 'take_back' AND mail_links.email_normalized = $3 AND user_id <> $1
                     AND expires_at > $4)",
        )
        .bind(id)
        .bind(email)
        .bind(email_normalized)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    });
    match changed {
        // Two got it at the same moment: the index decides.
        Err(Error::Database(error)) if error.is_unique_violation() => Ok(false),
        changed => changed,
    }
}

/// The address is theirs. `false`: that was known.
pub async fn confirm_email(tx: &mut Tx, id: UserId, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE users SET email_verified = TRUE, updated_at = $2 WHERE id = $1 AND NOT email_verified",
        )
        .bind(id)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Replaces a hash by one with today's parameters, unless the password was changed meanwhile.
pub async fn rehash_password(tx: &mut Tx, id: UserId, old: &str, new: &str) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2")
            .bind(id)
            .bind(old)
            .bind(new)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// `disabled_at`: since when nothing is issued to them any more; `None` to let them in again. `false`: no such user.
pub async fn set_disabled(
    tx: &mut Tx,
    id: UserId,
    disabled_at: Option<DateTime<Utc>>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE users SET disabled_at = $2 WHERE id = $1")
            .bind(id)
            .bind(disabled_at)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

/// When an account will be deleted; `None`: it will not.
pub async fn set_delete_at(tx: &mut Tx, id: UserId, delete_at: Option<DateTime<Utc>>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE users SET delete_at = $2 WHERE id = $1")
            .bind(id)
            .bind(delete_at)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Keeps an account that was to be deleted. `false`: it is too late, or not for its owner to say.
pub async fn keep(tx: &mut Tx, id: UserId, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE users SET delete_at = NULL WHERE id = $1 AND delete_at > $2 AND disabled_at IS NULL",
        )
        .bind(id)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Deletes an account, and with it everything that refers to it.
pub async fn delete(tx: &mut Tx, id: UserId) -> Result<(), Error> {
    on_conn!(tx, |conn| sqlx::query("DELETE FROM users WHERE id = $1").bind(id).execute(conn).await.map(drop))
}

/// Deletes one account whose time has come, and with it everything that refers to it.
pub async fn delete_due(tx: &mut Tx, now: DateTime<Utc>) -> Result<Option<UserId>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "DELETE FROM users WHERE id = (SELECT id FROM users WHERE delete_at <= $1 ORDER BY delete_at LIMIT 1)
             RETURNING id",
        )
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}
