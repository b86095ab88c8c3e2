//! What a person remembers to have allowed a client.

use chrono::{DateTime, Utc};
use platform::on_conn;

use super::{ClientId, Conn, Error, Tx, UserId, Words};

/// The scopes that were consented to, space-separated.
pub async fn find_scope(
    conn: &mut Conn,
    user_id: UserId,
    client_id: &ClientId,
) -> Result<Option<String>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT scope FROM consents WHERE user_id = $1 AND client_id = $2")
            .bind(user_id)
            .bind(client_id)
            .fetch_optional(conn)
            .await
    })
}

/// Something that somebody remembers to have allowed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Consent {
    pub client_id: ClientId,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub redirect_uris: Words,
    pub scope: String,
    pub granted_at: DateTime<Utc>,
}

/// All that a person remembers to have allowed.
pub async fn list(conn: &mut Conn, user_id: UserId) -> Result<Vec<Consent>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT client_id, name, redirect_uris, consents.scope, granted_at
             FROM consents JOIN clients ON clients.id = client_id WHERE user_id = $1",
        )
        .bind(user_id)
        .fetch_all(conn)
        .await
    })
}

/// Remembers a decision; `scope` holds what was remembered before, too.
pub async fn put(
    tx: &mut Tx,
    user_id: UserId,
    client_id: &ClientId,
    scope: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO consents (user_id, client_id, scope, granted_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at",
        )
        .bind(user_id)
        .bind(client_id)
        .bind(scope)
        .bind(now)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// Forgets what everybody has allowed a client.
pub async fn delete_all(tx: &mut Tx, client_id: &ClientId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM consents WHERE client_id = $1").bind(client_id).execute(conn).await.map(drop)
    })
}

/// Forgets a decision; `false` when there was none.
pub async fn delete(tx: &mut Tx, user_id: UserId, client_id: &ClientId) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM consents WHERE user_id = $1 AND client_id = $2")
            .bind(user_id)
            .bind(client_id)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}
