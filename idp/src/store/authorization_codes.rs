//! Authorization codes, RFC 6749 §4.1.2: each good once, for one client, redirect URI and verifier.

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{
    ClientId, Conn, Error, GrantId, Tx,
    grants::{Grant, Moment},
};

#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    pub grant_id: GrantId,
    pub client_id: ClientId,
    pub redirect_uri: String,
    /// S256; `None` when the request had none.
    pub code_challenge: Option<String>,
    pub nonce: Option<String>,
    /// The key that may redeem it, if the request named one.
    pub dpop_jkt: Option<String>,
    pub expires_at: DateTime<Utc>,
}

/// A code that was once given out, with the grant it stands for, alive or not.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Stored {
    pub redirect_uri: String,
    /// S256; `None` when the request had none.
    pub code_challenge: Option<String>,
    pub nonce: Option<String>,
    pub code_expires_at: DateTime<Utc>,
    #[sqlx(flatten)]
    pub grant: Grant,
}

/// What must match for a code to be spent.
#[derive(Debug)]
pub struct Presented<'a> {
    pub code: &'a SecretHash,
    pub client_id: &'a ClientId,
    pub redirect_uri: &'a str,
    /// Computed from the verifier; `None` when none was sent.
    pub code_challenge: Option<&'a str>,
    /// The key whose possession was proved.
    pub dpop_jkt: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redemption {
    Granted,
    /// It was spent before: what it yielded must go.
    Replayed,
    Refused,
}

pub async fn insert(tx: &mut Tx, code: &SecretHash, row: &AuthorizationCode) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO authorization_codes (code_hash, grant_id, client_id, redirect_uri, code_challenge, nonce, dpop_jkt, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(code)
        .bind(row.grant_id)
        .bind(&row.client_id)
        .bind(&row.redirect_uri)
        .bind(&row.code_challenge)
        .bind(&row.nonce)
        .bind(&row.dpop_jkt)
        .bind(row.expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Looks a code up without spending it. Finding one decides nothing: [`redeem`] does.
pub async fn find(conn: &mut Conn, code: &SecretHash) -> Result<Option<Stored>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT codes.redirect_uri, codes.code_challenge, codes.nonce, codes.expires_at AS code_expires_at,
                    grants.id, grants.client_id, grants.user_id,
                    grants.session_id, grants.offline, grants.scope, grants.audience, grants.claims, grants.auth_time, grants.amr,
                    grants.expires_at
             FROM authorization_codes AS codes JOIN grants ON grants.id = codes.grant_id
             WHERE codes.code_hash = $1",
        )
        .bind(code)
        .fetch_optional(conn)
        .await
    })
}

/// Spends a code. Of any number of concurrent callers, one is granted.
///
/// Every condition is in the `WHERE`: nothing can change between checking and spending, and a
/// request that fails a condition does not burn the code.
pub async fn redeem(tx: &mut Tx, presented: Presented<'_>, moment: Moment) -> Result<Redemption, Error> {
    let spent = on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE authorization_codes SET consumed_at = $5
             WHERE code_hash = $1 AND client_id = $2 AND redirect_uri = $3
               AND COALESCE(code_challenge, '') = $4 AND (dpop_jkt IS NULL OR dpop_jkt = $7)
               AND expires_at > $5 AND consumed_at IS NULL
               AND EXISTS (
                   SELECT 1 FROM live_grants
                   WHERE live_grants.id = grant_id AND session_ended_at IS NULL
                     AND session_expires_at > $5 AND session_seen_at > $6)",
        )
        .bind(presented.code)
        .bind(presented.client_id)
        .bind(presented.redirect_uri)
        .bind(presented.code_challenge.unwrap_or_default())
        .bind(moment.now)
        .bind(moment.seen_after)
        .bind(presented.dpop_jkt)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })?;
    if spent {
        return Ok(Redemption::Granted);
    }
    // Explains, does not decide. Only the client it was made for can say that a code was used twice:
    // anybody else who saw one in a log could otherwise end that client's access.
    let replayed: Option<i32> = on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT 1 FROM authorization_codes
             WHERE code_hash = $1 AND client_id = $2 AND consumed_at IS NOT NULL",
        )
        .bind(presented.code)
        .bind(presented.client_id)
        .fetch_optional(conn)
        .await
    })?;
    Ok(if replayed.is_some() { Redemption::Replayed } else { Redemption::Refused })
}
