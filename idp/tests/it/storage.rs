//! What the stores promise when callers go away, race, or leave things behind.

use std::time::Duration;

use chrono::TimeDelta;
use idp::store::{self, sweep, throttles};
use platform::{clock::Clock, db::Db, on_each_database, secret::SecretHash, testing::TestDb};

async fn open(db: &TestDb) -> Db {
    Db::open(&db.url, &store::MIGRATIONS).await.unwrap()
}

async fn count(db: &Db, key: &str) -> Result<i64, store::Error> {
    let now = Clock::System.now();
    let mut tx = db.write().await?;
    let attempts = throttles::count(&mut tx, &SecretHash::of(key), now, now + TimeDelta::hours(1)).await?;
    tx.commit().await?;
    Ok(attempts)
}

on_each_database! {
    /// A request may be given up at any moment, in the middle of any statement.
    async fn callers_who_go_away_break_nothing_for_others(db) {
        let db = open(&db).await;
        for round in 0..400_u64 {
            let gone = tokio::time::timeout(Duration::from_micros(round * 5), count(&db, "gone"));
            let (_, stays) = tokio::join!(gone, count(&db, "stays"));
            stays.unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        assert_eq!(count(&db, "stays").await.unwrap(), 401);
        db.ping().await.unwrap();
    }

    async fn transactions_that_share_a_commit_are_all_kept(db) {
        let db = open(&db).await;
        let racers: Vec<_> = (0..100).map(|_| {
            let db = db.clone();
            tokio::spawn(async move { count(&db, "shared").await })
        }).collect();
        let mut seen = Vec::new();
        for racer in racers {
            seen.push(racer.await.unwrap().unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=100).collect::<Vec<_>>());
    }

    /// One that is rolled back takes nobody along, and leaves nothing.
    async fn a_transaction_that_is_dropped_is_undone_alone(db) {
        let db = open(&db).await;
        let now = Clock::System.now();
        let racers: Vec<_> = (0..50).map(|index| {
            let db = db.clone();
            tokio::spawn(async move {
                if index % 2 == 0 {
                    count(&db, "kept").await.unwrap();
                } else {
                    let mut tx = db.write().await.unwrap();
                    throttles::count(&mut tx, &SecretHash::of("kept"), now, now + TimeDelta::hours(1)).await.unwrap();
                }
            })
        }).collect();
        for racer in racers {
            racer.await.unwrap();
        }
        assert_eq!(count(&db, "kept").await.unwrap(), 26);
    }

    async fn what_has_expired_is_swept_and_nothing_else(db) {
        let db = open(&db).await;
        let now = Clock::System.now();
        let mut tx = db.write().await.unwrap();
        for (key, expires_at) in [("old", now - TimeDelta::hours(2)), ("new", now + TimeDelta::hours(1))] {
            throttles::count(&mut tx, &SecretHash::of(key), now, expires_at).await.unwrap();
            store::revoked_access_tokens::insert(&mut tx, key, expires_at).await.unwrap();
            let (handle, browser) = (SecretHash::of(key), SecretHash::of("browser"));
            store::authorization_requests::insert(&mut tx, &handle, &browser, "", now, expires_at).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(sweep(&db, now).await.unwrap(), 3);
        assert_eq!(sweep(&db, now).await.unwrap(), 0);
        let mut conn = db.read().await.unwrap();
        assert!(store::revoked_access_tokens::contains(&mut conn, "new").await.unwrap());
        assert!(!store::revoked_access_tokens::contains(&mut conn, "old").await.unwrap());
    }
}
