//! The only place with SQL: one module a table.

pub(crate) mod logins;
pub(crate) mod logout_tokens;
pub(crate) mod sessions;

use chrono::{DateTime, Utc};
use platform::db::{Db, Error};

/// Each removes at most `$2` rows of what has expired.
const EXPIRED: [&str; 3] = [
    "DELETE FROM sessions WHERE id_hash IN (SELECT id_hash FROM sessions WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM logins WHERE state_hash IN (SELECT state_hash FROM logins WHERE expires_at <= $1 LIMIT $2)",
    "DELETE FROM logout_tokens WHERE jti_hash IN (
         SELECT jti_hash FROM logout_tokens WHERE expires_at <= $1 LIMIT $2)",
];
/// Removes sessions that nobody has used for long.
const IDLE: [&str; 1] = [
    "DELETE FROM sessions WHERE id_hash IN (SELECT id_hash FROM sessions WHERE last_seen_at <= $1 LIMIT $2)",
];

/// Removes what nobody can use any more; returns how many rows.
pub(crate) async fn sweep(db: &Db, now: DateTime<Utc>, idle_since: DateTime<Utc>) -> Result<u64, Error> {
    Ok(db.sweep(&EXPIRED, now).await? + db.sweep(&IDLE, idle_since).await?)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use platform::{clock::Clock, db::Db, on_each_database, secret::SecretHash, testing::TestDb};

    use super::{logins::Login, sessions::Session, *};

    async fn open(db: &TestDb) -> Db {
        Db::open(&db.url, &crate::MIGRATIONS).await.unwrap()
    }

    on_each_database! {
        async fn of_two_refreshes_that_began_together_one_is_kept(db) {
            let (db, now) = (open(&db).await, Clock::test().now());
            let id = SecretHash::of("id");
            let session = Session {
                sealed: b"old".to_vec(),
                version: 0,
                access_token_expires_at: now,
                created_at: now,
                last_seen_at: now,
                expires_at: now + TimeDelta::days(1),
                sid_hash: None,
                subject_hash: None,
            };
            let mut tx = db.write().await.unwrap();
            sessions::insert(&mut tx, &id, &session).await.unwrap();
            assert!(sessions::refresh(&mut tx, &id, 0, b"first", now).await.unwrap());
            assert!(!sessions::refresh(&mut tx, &id, 0, b"second", now).await.unwrap());
            tx.commit().await.unwrap();

            let idle_since = now - TimeDelta::days(1);
            let mut conn = db.read().await.unwrap();
            let kept = sessions::find(&mut conn, &id, now, idle_since).await.unwrap().unwrap();
            assert_eq!((kept.sealed.as_slice(), kept.version), (&b"first"[..], 1));
        }

        async fn what_has_expired_is_swept_and_nothing_else(db) {
            let (db, now) = (open(&db).await, Clock::test().now());
            let (past, future) = (now - TimeDelta::hours(1), now + TimeDelta::hours(1));
            let idle_since = now - TimeDelta::minutes(30);
            let mut tx = db.write().await.unwrap();
            for (id, expires_at, last_seen_at) in
                [("alive", future, now), ("expired", past, now), ("idle", future, past)]
            {
                let session = Session {
                    sealed: Vec::new(),
                    version: 0,
                    access_token_expires_at: now,
                    created_at: past,
                    last_seen_at,
                    expires_at,
                    sid_hash: None,
                    subject_hash: None,
                };
                sessions::insert(&mut tx, &SecretHash::of(id), &session).await.unwrap();
            }
            let (browser, alive) = (SecretHash::of("browser"), SecretHash::of("alive"));
            for (state, expires_at) in [("alive", future), ("expired", past)] {
                let login = Login {
                    nonce: "n".into(),
                    code_verifier: "v".into(),
                    return_to: "/".into(),
                    max_age: None,
                    acr_values: None,
                    expires_at,
                };
                logins::insert(&mut tx, &SecretHash::of(state), &browser, &login).await.unwrap();
            }
            for (jti, expires_at) in [("alive", future), ("expired", past)] {
                assert!(logout_tokens::insert(&mut tx, &SecretHash::of(jti), expires_at).await.unwrap());
            }
            tx.commit().await.unwrap();
            assert_eq!(sweep(&db, now, idle_since).await.unwrap(), 4, "two sessions, a log-in, a logout token");
            let mut tx = db.write().await.unwrap();
            assert!(sessions::find(&mut tx, &alive, now, idle_since).await.unwrap().is_some());
            assert!(logins::redeem(&mut tx, &alive, &browser, now).await.unwrap().is_some());
            tx.commit().await.unwrap();
        }
    }
}
