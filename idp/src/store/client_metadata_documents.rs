//! Clients that are described by a document at the address that is their id, and when it was fetched.

use chrono::{DateTime, Utc};
use platform::on_conn;

use super::{ClientId, Conn, Error, Tx};

/// When the document was fetched; `None` for clients that are known in another way, or not at all.
pub async fn find(conn: &mut Conn, client_id: &ClientId) -> Result<Option<DateTime<Utc>>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT fetched_at FROM client_metadata_documents WHERE client_id = $1")
            .bind(client_id)
            .fetch_optional(conn)
            .await
    })
}

pub async fn put(tx: &mut Tx, client_id: &ClientId, fetched_at: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO client_metadata_documents (client_id, fetched_at) VALUES ($1, $2)
             ON CONFLICT (client_id) DO UPDATE SET fetched_at = excluded.fetched_at",
        )
        .bind(client_id)
        .bind(fetched_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

/// The configuration says from now on what the client is.
pub async fn forget(tx: &mut Tx, client_id: &ClientId) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query("DELETE FROM client_metadata_documents WHERE client_id = $1")
            .bind(client_id)
            .execute(conn)
            .await
            .map(drop)
    })
}
