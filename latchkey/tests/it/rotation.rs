//! Replacing signing keys while everything is busy.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use idp::keys::{KeyRing, Rotation};
use platform::{
    clock::Clock,
    on_each_database,
    server::Shutdown,
    testing::{self, TestServer, serve},
};
use tokio::task::JoinSet;

use crate::support::{Place, SCOPE, decode, http, token};

/// Longer than a running server takes to notice a change in its key directory.
const NOTICED: Duration = Duration::from_secs(7);

on_each_database! {
    /// The new key is published before it signs, and the old one is published as long as its tokens live.
    async fn while_keys_are_rotated_no_request_fails_at_the_api(db) {
        let clock = Clock::test();
        let keys = tempfile::tempdir().unwrap();
        let api_db = if db.url.starts_with("postgres") { testing::postgres().await.unwrap() } else { testing::sqlite() };
        let (idp_listener, issuer) = TestServer::reserve();
        let (api_listener, api_url) = TestServer::reserve();
        let config = idp::Config {
            issuer: issuer.clone(),
            database_url: db.url.clone(),
            keys_dir: keys.path().to_owned(),
            clients: vec![idp::config::ClientConfig {
                client_id: "reports".to_owned(),
                client_secret: Some("lks_a-secret-of-at-least-32-characters-00".to_owned().into()),
                grant_types: Some(vec!["client_credentials".to_owned()]),
                scope: Some(SCOPE.to_owned()),
                audience: api_url.clone(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let shutdown = Shutdown::default();
        let router = idp::start(config, clock.clone(), &shutdown).await.unwrap();
        let idp = serve(idp_listener, &router, shutdown);
        let config = api::Config {
            issuer: issuer.clone(),
            public_url: api_url.clone(),
            database_url: api_db.url.clone(),
            ..Default::default()
        };
        let shutdown = Shutdown::default();
        let router = api::start(config, clock.clone(), &shutdown).await.unwrap();
        let api = serve(api_listener, &router, shutdown);

        let done = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for _ in 0..4 {
            let (idp, api, done, answered) = (idp.url.clone(), api.url.clone(), done.clone(), answered.clone());
            callers.spawn(async move {
                let http = http();
                while !done.load(Ordering::Relaxed) {
                    let token = token(&idp, "reports", "lks_a-secret-of-at-least-32-characters-00").await;
                    for _ in 0..5 {
                        let tasks = http.get(format!("{api}/api/me/tasks")).bearer_auth(&token);
                        let response = tasks.send().await.unwrap();
                        assert_eq!(response.status(), 200, "after {answered:?} good answers");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let kid = async || decode(&token(&idp.url, "reports", "lks_a-secret-of-at-least-32-characters-00").await, 0)["kid"].clone();
        let first = kid().await;

        let ring = KeyRing::open(keys.path(), clock.now()).unwrap();
        let longest = TimeDelta::hours(1);
        ring.rotate(Rotation::Planned, longest, clock.now()).unwrap();
        tokio::time::sleep(NOTICED).await;
        assert_eq!(kid().await, first, "a new key does not sign before everybody could fetch it");
        clock.advance(TimeDelta::minutes(10));
        tokio::time::sleep(NOTICED).await;
        let second = kid().await;
        assert_ne!(second, first, "it signs once its time has come");

        // The next rotation removes it: by then its last token has expired. In steps, as tokens live 15 minutes,
        // each long enough for every caller to get a new one.
        for _ in 0..16 {
            let before = answered.load(Ordering::Relaxed);
            clock.advance(TimeDelta::minutes(5));
            while answered.load(Ordering::Relaxed) < before + 60 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        ring.rotate(Rotation::Planned, longest, clock.now()).unwrap();
        tokio::time::sleep(NOTICED).await;
        let published: serde_json::Value =
            http().get(format!("{}/jwks", idp.url)).send().await.unwrap().json().await.unwrap();
        let published: Vec<_> = published["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
        assert!(!published.contains(&&first) && published.contains(&&second), "{published:?}");
        clock.advance(TimeDelta::minutes(10));
        tokio::time::sleep(NOTICED).await;
        assert!(![first, second].contains(&kid().await), "the third key signs");
        done.store(true, Ordering::Relaxed);
        while let Some(caller) = callers.join_next().await {
            caller.unwrap();
        }
        assert!(answered.load(Ordering::Relaxed) > 100, "{answered:?}");
    }
}

/// `rotate --now` is for a key that somebody else may have: what it signed is refused as soon as the API asks again,
/// and what the new key signs is accepted at once.
#[tokio::test]
async fn a_compromised_key_is_replaced_in_a_running_server() {
    let place = Place::new();
    let node = place.start().await;
    let secret = place.add_machine("reports");
    let forgeable = place.token("reports", &secret).await;
    let old = decode(&forgeable, 0)["kid"].clone();
    let listed = place.run(&["keys", "rotate", "--now"]).good().stdout;
    assert!(!listed.contains(old.as_str().unwrap()), "{listed}");

    let noticed = async {
        loop {
            let token = place.token("reports", &secret).await;
            if decode(&token, 0)["kid"] != old {
                break token;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let token = tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("within 30 seconds");
    let status = async |token| {
        let tasks = http().get(format!("{}/api/me/tasks", place.api)).bearer_auth(token);
        tasks.send().await.unwrap().status()
    };
    assert_eq!(status(token).await, 200);
    assert_eq!(status(forgeable).await, 401, "the first token of the new key made the API ask again");
    node.stop().await;
}
