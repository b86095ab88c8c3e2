//! Access tokens that were revoked one by one (RFC 7009), until they would have expired.

use chrono::{DateTime, Utc};
use platform::on_conn;

use super::{Conn, Error, Tx};

pub async fn insert(tx: &mut Tx, jti: &str, expires_at: DateTime<Utc>) -> Result<(), Error> {
    on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO revoked_access_tokens (jti, expires_at) VALUES ($1, $2) ON CONFLICT (jti) DO NOTHING",
        )
        .bind(jti)
        .bind(expires_at)
        .execute(conn)
        .await
        .map(drop)
    })
}

pub async fn contains(conn: &mut Conn, jti: &str) -> Result<bool, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM revoked_access_tokens WHERE jti = $1)")
            .bind(jti)
            .fetch_one(conn)
            .await
    })
}
