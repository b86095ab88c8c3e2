//! Refused requests, kept for a while so that operators can be told why.

use chrono::{DateTime, Utc};
use platform::on_conn;
use uuid::Uuid;

use super::{ClientId, Conn, Error, Tx, UserId};

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Refusal {
    /// What people see as the reference.
    pub request_id: Uuid,
    pub at: DateTime<Utc>,
    pub route: String,
    /// The code that a client was told, or what kind of page it was.
    pub error: String,
    pub rule: String,
    pub client_id: Option<ClientId>,
    pub user_id: Option<UserId>,
    pub address: String,
    /// A JSON object of texts. No secrets.
    pub inputs: String,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(tx: &mut Tx, refusal: &Refusal) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO refusals (request_id, at, route, error, rule, client_id, user_id, address, inputs, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (request_id) DO NOTHING",
        )
        .bind(refusal.request_id)
        .bind(refusal.at)
        .bind(&refusal.route)
        .bind(&refusal.error)
        .bind(&refusal.rule)
        .bind(&refusal.client_id)
        .bind(refusal.user_id)
        .bind(&refusal.address)
        .bind(&refusal.inputs)
        .bind(refusal.expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

pub async fn find(conn: &mut Conn, request_id: Uuid) -> Result<Option<Refusal>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT request_id, at, route, error, rule, client_id, user_id, address, inputs, expires_at
             FROM refusals WHERE request_id = $1",
        )
        .bind(request_id)
        .fetch_optional(conn)
        .await
    })
}
