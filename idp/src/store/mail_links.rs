//! Links in mails: each bound to one person, purpose and address, and good once.

use chrono::{DateTime, TimeDelta, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{Conn, Error, Tx, UserId, outbox};

/// What a link does when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Confirms the address that the person has.
    Confirm,
    /// Lets a new password be chosen, while the person has this address.
    Reset,
    /// Makes the address the person's.
    Change,
    /// Makes the address the person's again.
    TakeBack,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Reset => "reset",
            Self::Change => "change",
            Self::TakeBack => "take_back",
        }
    }

    #[must_use]
    pub fn lifetime(self) -> TimeDelta {
        match self {
            Self::Reset => TimeDelta::hours(1),
            Self::Confirm | Self::Change => TimeDelta::hours(24),
            Self::TakeBack => TimeDelta::days(7),
        }
    }
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct MailLink {
    pub user_id: UserId,
    /// As typed.
    pub email: String,
    pub email_normalized: String,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(tx: &mut Tx, token: &SecretHash, purpose: Purpose, link: &MailLink) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO mail_links (token_hash, user_id, purpose, email, email_normalized, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token)
        .bind(link.user_id)
        .bind(purpose.name())
        .bind(&link.email)
        .bind(&link.email_normalized)
        .bind(link.created_at)
        .bind(link.created_at + purpose.lifetime())
        .execute(conn)
        .await
        .map(drop)
    })
}

/// What a link would do now. It decides nothing.
pub async fn find(
    conn: &mut Conn,
    token: &SecretHash,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Option<MailLink>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT user_id, mail_links.email, mail_links.email_normalized, mail_links.created_at
             FROM mail_links JOIN users ON users.id = user_id
             WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 AND disabled_at IS NULL
               AND (purpose IN ('change', 'take_back') OR users.email_normalized = mail_links.email_normalized)",
        )
        .bind(token)
        .bind(purpose.name())
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// Spends a link; with `user_id`, only if it is that person's. Of any number of concurrent callers, one gets it.
pub async fn spend(
    tx: &mut Tx,
    token: &SecretHash,
    purpose: Purpose,
    user_id: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<Option<MailLink>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "DELETE FROM mail_links
             WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 AND ($4 IS NULL OR user_id = $4)
               AND EXISTS (
                   SELECT 1 FROM users
                   WHERE users.id = mail_links.user_id AND disabled_at IS NULL
                     AND (mail_links.purpose IN ('change', 'take_back')
                         OR users.email_normalized = mail_links.email_normalized))
             RETURNING user_id, email, email_normalized, created_at",
        )
        .bind(token)
        .bind(purpose.name())
        .bind(now)
        .bind(user_id)
        .fetch_optional(conn)
        .await
    })
}

/// Whether a person was mailed a link for this purpose after `since`, or is about to be.
pub async fn is_recent(
    conn: &mut Conn,
    user_id: UserId,
    purpose: Purpose,
    since: DateTime<Utc>,
) -> Result<bool, Error> {
    let found: Option<i64> = on_conn!(conn, |conn| {
        sqlx::query_scalar(
            "SELECT COUNT(*) FROM (
                 SELECT user_id FROM mail_links WHERE user_id = $1 AND purpose = $2 AND created_at > $3
                 UNION ALL SELECT user_id FROM outbox WHERE user_id = $1 AND purpose = $2) AS recent",
        )
        .bind(user_id)
        .bind(purpose.name())
        .bind(since)
        .fetch_optional(conn)
        .await
    })?;
    Ok(found.is_some_and(|count| count > 0))
}

/// No password and no address changes without this: links and mails that would let somebody change it again are no
/// more.
pub async fn void(tx: &mut Tx, user_id: UserId) -> Result<(), Error> {
    // First: whoever writes such a mail now holds its row, and is waited for.
    outbox::withdraw(tx, user_id).await?;
    on_conn!(&mut *tx, |conn| {
        sqlx::query("DELETE FROM mailed_codes WHERE user_id = $1").bind(user_id).execute(conn).await.map(drop)
    })?;
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM mail_links WHERE user_id = $1 AND purpose IN ('reset', 'change')")
            .bind(user_id)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// An address was taken back: nobody who changed it later has a link to change it again.
pub async fn void_since(tx: &mut Tx, user_id: UserId, since: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM mail_links WHERE user_id = $1 AND created_at >= $2")
            .bind(user_id)
            .bind(since)
            .execute(conn)
            .await
            .map(drop)
    })
}
