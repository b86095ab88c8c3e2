//! What was answered to a request with an `Idempotency-Key`, so that a retry gets the same answer.

use chrono::{DateTime, Utc};
use platform::db::{Conn, Error, Tx, on_conn};

/// A request that came with a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed<'a> {
    pub user_id: &'a str,
    pub idempotency_key: &'a str,
    /// SHA-256 of what was asked.
    pub request_hash: &'a [u8],
}

/// Claims a key for a request and what will be answered to it; `false` when the key is taken.
///
/// Concurrent callers with the same key wait here for the first one's transaction to end.
pub(crate) async fn insert(
    tx: &mut Tx,
    keyed: Keyed<'_>,
    response: &str,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<bool, Error> {
    let claimed = on_conn!(tx, |conn| {
        sqlx::query(
            "INSERT INTO idempotency_keys (user_id, idempotency_key, request_hash, response, expires_at)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (user_id, idempotency_key) DO UPDATE
                SET request_hash = $3, response = $4, expires_at = $5
                WHERE idempotency_keys.expires_at <= $6",
        )
        .bind(keyed.user_id)
        .bind(keyed.idempotency_key)
        .bind(keyed.request_hash)
        .bind(response)
        .bind(expires_at)
        .bind(now)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(claimed == 1)
}

/// What was answered when the key was first used, and the hash of that request.
pub(crate) async fn find(
    conn: &mut Conn,
    user_id: &str,
    idempotency_key: &str,
) -> Result<Option<(Vec<u8>, String)>, Error> {
    on_conn!(conn, |conn| {
        sqlx::query_as(
            "SELECT request_hash, response FROM idempotency_keys
             WHERE user_id = $1 AND idempotency_key = $2",
        )
        .bind(user_id)
        .bind(idempotency_key)
        .fetch_optional(conn)
        .await
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use platform::{clock::Clock, db::Db, on_each_database};

    use super::*;

    on_each_database! {
        async fn keys_are_swept_when_they_have_expired_and_not_before(db) {
            let url = db.url.clone();
            let (db, now) = (Db::open(&url, &crate::MIGRATIONS).await.unwrap(), Clock::test().now());
            let expiries = [("expired", now), ("alive", now + TimeDelta::seconds(1))];
            let mut tx = db.write().await.unwrap();
            for (idempotency_key, expires_at) in expiries {
                let keyed = Keyed { user_id: "alice", idempotency_key, request_hash: b"hash" };
                assert!(insert(&mut tx, keyed, "{}", now - TimeDelta::days(1), expires_at).await.unwrap());
            }
            tx.commit().await.unwrap();

            crate::store::sweep(&db, now).await.unwrap();
            let mut conn = db.read().await.unwrap();
            for (key, kept) in [("expired", false), ("alive", true)] {
                assert_eq!(find(&mut conn, "alice", key).await.unwrap().is_some(), kept, "{key}");
            }
        }
    }
}
