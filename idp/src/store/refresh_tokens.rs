//! Refresh tokens with idempotent rotation: a token presented again within the grace window yields the
//! same successor; after it, the whole family ends (RFC 9700 §4.14).

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{
    ClientId, Conn, Error, GrantId, Tx,
    grants::{Grant, Moment},
};

#[derive(Debug)]
pub struct Presented<'a> {
    pub token: &'a SecretHash,
    pub client_id: &'a ClientId,
    /// The key whose possession was proved.
    pub dpop_jkt: Option<&'a str>,
    /// Tokens that were rotated before this may not come back.
    pub grace_from: DateTime<Utc>,
    /// It is not rotated now, but good until then.
    pub kept_until: Option<DateTime<Utc>>,
}

#[derive(Debug)]
pub struct RefreshToken<'a> {
    pub grant_id: GrantId,
    pub client_id: &'a ClientId,
    /// The key that it is bound to.
    pub dpop_jkt: Option<&'a str>,
    pub expires_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Granted,
    /// It was rotated longer ago than the grace window: somebody has a copy.
    Replayed,
    Refused,
}

/// Stores a token. A successor that is there already stays as it is: a retry derives the same one.
pub async fn insert(tx: &mut Tx, token: &SecretHash, row: &RefreshToken<'_>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO refresh_tokens (token_hash, grant_id, client_id, dpop_jkt, expires_at)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (token_hash) DO NOTHING",
        )
        .bind(token)
        .bind(row.grant_id)
        .bind(row.client_id)
        .bind(row.dpop_jkt)
        .bind(row.expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// A token that was once given out, with the grant it belongs to, alive or not.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Stored {
    pub token_expires_at: DateTime<Utc>,
    pub rotated_at: Option<DateTime<Utc>>,
    #[sqlx(flatten)]
    pub grant: Grant,
}

/// Looks a token up. Finding one decides nothing: [`rotate`] does.
pub async fn find(conn: &mut Conn, token: &SecretHash) -> Result<Option<Stored>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT tokens.expires_at AS token_expires_at, tokens.rotated_at, grants.id, grants.client_id, grants.user_id,
                    grants.session_id, grants.offline, grants.scope, grants.audience, grants.claims, grants.auth_time, grants.amr,
                    grants.expires_at
             FROM refresh_tokens AS tokens JOIN grants ON grants.id = tokens.grant_id
             WHERE tokens.token_hash = $1",
        )
        .bind(token)
        .fetch_optional(conn)
        .await
    })
}

/// Marks a token as rotated, or as used by whom it stays with. Every condition is in the `WHERE`; concurrent callers inside the window are
/// all granted, and all derive the same successor.
pub async fn rotate(tx: &mut Tx, presented: Presented<'_>, moment: Moment) -> Result<Rotation, Error> {
    let rotated = on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE refresh_tokens SET rotated_at = COALESCE(rotated_at, $7), expires_at = COALESCE($8, expires_at)
             WHERE token_hash = $1 AND client_id = $2 AND expires_at > $3
               AND (rotated_at IS NULL OR rotated_at > $4) AND (dpop_jkt IS NULL OR dpop_jkt = $6)
               AND EXISTS (
                   SELECT 1 FROM live_grants
                   WHERE live_grants.id = grant_id AND live_grants.expires_at > $3
                     AND (offline OR (session_expires_at > $3 AND session_seen_at > $5)))",
        )
        .bind(presented.token)
        .bind(presented.client_id)
        .bind(moment.now)
        .bind(presented.grace_from)
        .bind(moment.seen_after)
        .bind(presented.dpop_jkt)
        .bind(presented.kept_until.is_none().then_some(moment.now))
        .bind(presented.kept_until)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })?;
    if rotated {
        return Ok(Rotation::Granted);
    }
    // Explains, does not decide.
    let replayed: Option<i32> = on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT 1 FROM refresh_tokens WHERE token_hash = $1 AND client_id = $2 AND rotated_at <= $3",
        )
        .bind(presented.token)
        .bind(presented.client_id)
        .bind(presented.grace_from)
        .fetch_optional(conn)
        .await
    })?;
    Ok(if replayed.is_some() { Rotation::Replayed } else { Rotation::Refused })
}
