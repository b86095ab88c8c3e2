//! Clients that have registered themselves (RFC 7591), and what they manage their registration with (RFC 7592).

use chrono::{DateTime, Utc};
use platform::{on_conn, secret::SecretHash};

use super::{ClientId, Conn, Error, Tx};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ClientRegistration {
    /// JSON.
    pub metadata: String,
    pub issued_at: DateTime<Utc>,
    /// An operator let it in: it may act for itself, and not only for people.
    pub for_itself: bool,
}

pub async fn insert(
    tx: &mut Tx,
    client_id: &ClientId,
    token: &SecretHash,
    registration: &ClientRegistration,
) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO client_registrations (client_id, token_hash, metadata, issued_at, for_itself)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(client_id)
        .bind(token)
        .bind(&registration.metadata)
        .bind(registration.issued_at)
        .bind(registration.for_itself)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// The registration that a token is for, unless the client was disabled or declared since.
pub async fn find(
    conn: &mut Conn,
    client_id: &ClientId,
    token: &SecretHash,
) -> Result<Option<ClientRegistration>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT metadata, issued_at, for_itself
             FROM client_registrations JOIN clients ON clients.id = client_id AND disabled_at IS NULL AND NOT declared
             WHERE client_id = $1 AND token_hash = $2",
        )
        .bind(client_id)
        .bind(token)
        .fetch_optional(conn)
        .await
    })
}

/// Replaces what is registered; `None` for a token that is not this client's. Whoever else changes or deletes it
/// waits until this transaction ends.
pub async fn replace(
    tx: &mut Tx,
    client_id: &ClientId,
    token: &SecretHash,
    metadata: &str,
) -> Result<Option<ClientRegistration>, Error> {
    on_conn!(tx, |conn| {
        sqlx::query_as(
            "UPDATE client_registrations SET metadata = $3
             WHERE client_id = $1 AND token_hash = $2
               AND EXISTS (
                   SELECT 1 FROM clients WHERE clients.id = client_id AND disabled_at IS NULL AND NOT declared)
             RETURNING metadata, issued_at, for_itself",
        )
        .bind(client_id)
        .bind(token)
        .bind(metadata)
        .fetch_optional(conn)
        .await
    })
}

/// `false` for a token that is not this client's.
pub async fn delete(tx: &mut Tx, client_id: &ClientId, token: &SecretHash) -> Result<bool, Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "DELETE FROM client_registrations WHERE client_id = $1 AND token_hash = $2
               AND EXISTS (SELECT 1 FROM clients WHERE clients.id = client_id AND NOT declared)",
        )
        .bind(client_id)
        .bind(token)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1)
    })
}

/// Whatever its token: the configuration says from now on what the client is.
pub async fn forget(tx: &mut Tx, client_id: &ClientId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM client_registrations WHERE client_id = $1")
            .bind(client_id)
            .execute(conn)
            .await
            .map(drop)
    })
}

/// Who has registered itself.
pub async fn list_ids(conn: &mut Conn) -> Result<Vec<ClientId>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT client_id FROM client_registrations").fetch_all(conn).await
    })
}
