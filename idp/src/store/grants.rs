//! One row per authorization: what a code, its refresh tokens and its access tokens come from.

use chrono::{DateTime, Utc};
use platform::on_conn;

use super::{ClientId, Conn, Error, GrantId, SessionId, Tx, UserId, Words};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Grant {
    pub id: GrantId,
    pub client_id: ClientId,
    pub user_id: UserId,
    pub session_id: SessionId,
    /// Outlives the session: `offline_access` was granted.
    pub offline: bool,
    pub scope: String,
    /// Space-separated; may be empty.
    pub audience: String,
    /// Asked for one by one: `userinfo:email id_token:name`.
    #[sqlx(try_from = "String")]
    pub claims: Words,
    pub auth_time: DateTime<Utc>,
    /// How they had logged in, RFC 8176.
    #[sqlx(try_from = "String")]
    pub amr: Words,
    /// However often it is refreshed.
    pub expires_at: DateTime<Utc>,
}

/// The clock, and since when a session must have been seen not to be idle: what liveness is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: DateTime<Utc>,
    pub seen_after: DateTime<Utc>,
}

/// Whether it is the first one of its client in this session, with this scope.
pub async fn insert(tx: &mut Tx, grant: &Grant, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "INSERT INTO grants (id, client_id, user_id, session_id, offline, scope, audience, claims,
                 auth_time, created_at, expires_at, amr)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             RETURNING NOT EXISTS (
                 SELECT 1 FROM grants AS others
                 WHERE others.session_id = $4 AND others.client_id = $2 AND others.scope = $6 AND others.id <> $1
                   AND others.revoked_at IS NULL)",
        )
        .bind(grant.id)
        .bind(&grant.client_id)
        .bind(grant.user_id)
        .bind(grant.session_id)
        .bind(grant.offline)
        .bind(&grant.scope)
        .bind(&grant.audience)
        .bind(grant.claims.to_string())
        .bind(grant.auth_time)
        .bind(now)
        .bind(grant.expires_at)
        .bind(grant.amr.to_string())
        .fetch_one(conn)
        .await
    })
}

/// A grant whose user, client and session are alive and which was not revoked.
pub async fn find_live(conn: &mut Conn, id: GrantId, moment: Moment) -> Result<Option<Grant>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT id, client_id, user_id, session_id, offline, scope, audience, claims, auth_time, amr,
                    expires_at
             FROM live_grants
             WHERE id = $1 AND expires_at > $2
               AND (offline OR (session_expires_at > $2 AND session_seen_at > $3))",
        )
        .bind(id)
        .bind(moment.now)
        .bind(moment.seen_after)
        .fetch_optional(conn)
        .await
    })
}

/// What an app holds: all that was granted in the same words, but each device by itself.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Held {
    pub client_id: ClientId,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub redirect_uris: Words,
    pub scope: String,
    /// The one grant of a device.
    pub device: Option<GrantId>,
    /// That the device had when it was connected.
    pub device_address: Option<String>,
    pub since: DateTime<Utc>,
    pub granted_at: DateTime<Utc>,
    pub refreshed_at: Option<DateTime<Utc>>,
}

/// What apps hold of a person.
pub async fn list_held(conn: &mut Conn, user_id: UserId, moment: Moment) -> Result<Vec<Held>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT grants.client_id, name, redirect_uris, grants.scope,
                    CASE WHEN device_address IS NULL THEN NULL ELSE grants.id END AS device, device_address,
                    MIN(grants.created_at) AS since, MAX(grants.created_at) AS granted_at,
                    MAX((SELECT MAX(rotated_at) FROM refresh_tokens WHERE grant_id = grants.id)) AS refreshed_at
             FROM live_grants JOIN grants ON grants.id = live_grants.id JOIN clients ON clients.id = grants.client_id
             WHERE live_grants.user_id = $1 AND live_grants.expires_at > $2
               AND (live_grants.offline OR (session_expires_at > $2 AND session_seen_at > $3))
             GROUP BY 1, 2, 3, 4, 5, 6",
        )
        .bind(user_id)
        .bind(moment.now)
        .bind(moment.seen_after)
        .fetch_all(conn)
        .await
    })
}

/// Notes that a grant is a device's, and where that was.
pub async fn set_device(tx: &mut Tx, id: GrantId, address: &str) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE grants SET device_address = $2 WHERE id = $1")
            .bind(id)
            .bind(address)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Revokes what a person granted a device; `None` unless it is theirs and goes on.
pub async fn revoke_device(
    tx: &mut Tx,
    user_id: UserId,
    id: GrantId,
    now: DateTime<Utc>,
) -> Result<Option<ClientId>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE grants SET revoked_at = $3
             WHERE id = $2 AND user_id = $1 AND device_address IS NOT NULL AND revoked_at IS NULL
             RETURNING client_id",
        )
        .bind(user_id)
        .bind(id)
        .bind(now)
        .fetch_optional(conn)
        .await
    })
}

/// `false`: it had ended already.
pub async fn revoke(tx: &mut Tx, id: GrantId, now: DateTime<Utc>) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}

/// Revokes all that a person granted, offline or not.
pub async fn revoke_all(tx: &mut Tx, user_id: UserId, now: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE grants SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL")
            .bind(user_id)
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Revokes all that anybody granted one client.
pub async fn revoke_client_of_all(
    tx: &mut Tx,
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("UPDATE grants SET revoked_at = $2 WHERE client_id = $1 AND revoked_at IS NULL")
            .bind(client_id)
            .bind(now)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Revokes all that a person granted one client; `false` when there was nothing.
pub async fn revoke_client(
    tx: &mut Tx,
    user_id: UserId,
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "UPDATE grants SET revoked_at = $3 WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL",
        )
        .bind(user_id)
        .bind(client_id)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() > 0)
    })
}
