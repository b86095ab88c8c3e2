//! Mails that people are owed: from the moment of what they tell of until a server has taken them, or they are no use
//! any more. What a mail says, and the secret in it, is not here: it is made when the mail is sent.

use chrono::{DateTime, TimeDelta, Utc};
use platform::on_conn;
use serde::{Deserialize, Serialize};

use super::{Conn, Error, MailId, SignUpId, Tx, UserId};

/// How long a server that does not take a mail is tried again.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// What a mail is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// A link that makes an account; or that somebody tried, to whom has one.
    SignUp(SignUpId),
    /// A link that confirms a person's address.
    Confirm,
    /// A link to choose a new password.
    Reset,
    /// A code to log in with; `handle_hash` of its row, base64url.
    Code(String),
    /// A link that makes this the person's address; or that somebody tried, to whose it is.
    ChangeEmail { to: String },
    /// To the address that was the person's: a link that takes it back.
    EmailChanged { from: String, to: String },
    /// Something has happened to the account, an `audit::Event`, and from where it was done.
    Notice { event: serde_json::Value, address: String },
}

impl Letter {
    fn purpose(&self) -> &'static str {
        match self {
            Self::SignUp(_) => "sign_up",
            Self::Confirm => "confirm",
            Self::Reset => "reset",
            Self::Code(_) => "code",
            Self::ChangeEmail { .. } => "change_email",
            Self::EmailChanged { .. } => "email_changed",
            Self::Notice { .. } => "notice",
        }
    }

    /// Nobody gets a mail when what is in it is no use any more.
    fn kept(&self) -> TimeDelta {
        match self {
            Self::Code(_) => TimeDelta::minutes(10),
            Self::Reset => TimeDelta::hours(1),
            _ => KEPT,
        }
    }
}

impl TryFrom<String> for Letter {
    type Error = serde_json::Error;
    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&text)
    }
}

/// For whom a mail is.
#[derive(Clone, Copy, Debug)]
pub enum Addressee<'a> {
    User(UserId),
    /// Whoever has this normalised address, if anybody has.
    Holder(&'a str),
}

/// A mail that is owed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Owed {
    pub id: MailId,
    pub user_id: Option<UserId>,
    pub email_normalized: String,
    #[sqlx(try_from = "String")]
    pub letter: Letter,
    /// This one included.
    pub attempts: i64,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Owes somebody a mail. The same work whether or not anybody has the address.
pub async fn insert(
    tx: &mut Tx,
    to: Addressee<'_>,
    letter: &Letter,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let (user_id, email_normalized) = match to {
        Addressee::User(id) => (Some(id), ""),
        Addressee::Holder(email_normalized) => (None, email_normalized),
    };
    let text = serde_json::to_string(letter).map_err(|error| Error::Encode(error.into()))?;
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO outbox (id, user_id, email_normalized, purpose, letter, attempts, created_at, due_at,
                 expires_at)
             VALUES ($1, $2, $3, $4, $5, 0, $6, $6, $7)",
        )
        .bind(MailId::new())
        .bind(user_id)
        .bind(email_normalized)
        .bind(letter.purpose())
        .bind(&text)
        .bind(now)
        .bind(now + letter.kept())
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Whether [`claim`] would find any. Takes no lock.
pub async fn is_due(conn: &mut Conn, now: DateTime<Utc>) -> Result<bool, Error> {
    let found: Option<i64> = on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT attempts FROM outbox WHERE due_at <= $1 AND expires_at > $1 LIMIT 1")
            .bind(now)
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.is_some())
}

/// Takes at most `limit` that are due, those that have waited longest first. Until `lease_ends_at` nobody else gets
/// them: whoever took them has said by then how it went, or is no more.
pub async fn claim(
    tx: &mut Tx,
    limit: i64,
    now: DateTime<Utc>,
    lease_ends_at: DateTime<Utc>,
) -> Result<Vec<Owed>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "UPDATE outbox SET attempts = attempts + 1, due_at = $2
             WHERE due_at <= $1 AND expires_at > $1 AND id IN (
                 SELECT id FROM outbox WHERE due_at <= $1 AND expires_at > $1 ORDER BY due_at, id LIMIT $3)
             RETURNING id, user_id, email_normalized, letter, attempts, created_at, expires_at",
        )
        .bind(now)
        .bind(lease_ends_at)
        .bind(limit)
        .fetch_all(conn)
        .await
    })
}

/// Before a mail is written: whether it is still owed, and nobody else's to send. Until this transaction ends nobody
/// takes it back.
pub async fn hold(tx: &mut Tx, owed: &Owed) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE outbox SET attempts = attempts WHERE id = $1 AND attempts = $2")
            .bind(owed.id)
            .bind(owed.attempts)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

/// Puts one back, unless somebody else has taken it meanwhile.
pub async fn postpone(tx: &mut Tx, owed: &Owed, due_at: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE outbox SET due_at = $3 WHERE id = $1 AND attempts = $2")
            .bind(owed.id)
            .bind(owed.attempts)
            .bind(due_at)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Nothing is owed any more.
pub async fn delete(tx: &mut Tx, owed: &Owed) -> Result<(), Error> {
    on_conn!(tx, |conn| sqlx::query("DELETE FROM outbox WHERE id = $1")
        .bind(owed.id)
        .execute(conn)
        .await
        .map(drop))
}

/// A person's password or address has changed: mails that would let somebody change it again are not sent.
pub async fn withdraw(tx: &mut Tx, user_id: UserId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "DELETE FROM outbox WHERE purpose = 'change_email' AND user_id = $1
                 OR purpose = 'reset' AND (user_id = $1
                     OR email_normalized = (SELECT email_normalized FROM users WHERE id = $1))",
        )
        .bind(user_id)
        .execute(conn)
        .await
        .map(drop)
    })
}
