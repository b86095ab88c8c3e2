use std::time::Duration;

use chrono::TimeDelta;
use platform::{on_each_database, testing::TestDb};
use serde_json::{Value, json};

use crate::{
    issuer::{self, Answers, CurveKey, Issuer, jwk},
    support::{TestApi, header, problem},
};

impl TestApi {
    fn signed_by(&self, kid: &str, key: usize) -> String {
        let header = json!({"typ": "at+jwt", "alg": "RS256", "kid": kid});
        issuer::sign(&header, &self.claims(), issuer::key(key))
    }

    /// Waits until the background task has asked for the keys once more.
    async fn next_fetch(&self, before: usize) {
        for _ in 0..100 {
            if self.issuer.fetches() > before {
                // The answer has been sent; give it a moment to arrive.
                tokio::time::sleep(Duration::from_millis(100)).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the keys were not fetched again");
    }
}

on_each_database! {
    async fn many_first_requests_fetch_the_keys_once(db) {
        let api = TestApi::new(db).await;
        let requests = (0..50).map(|_| api.status_with(&api.token));
        let statuses = futures(requests).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(api.issuer.fetches(), 1);
    }

    async fn a_new_key_is_found_at_its_first_token(db) {
        let api = TestApi::new(db).await;
        assert_eq!(api.status_with(&api.token).await, 200);
        api.issuer.publish(vec![jwk("first", issuer::key(0)), jwk("second", issuer::key(1))]);
        let rotated = api.signed_by("second", 1);
        let statuses = futures((0..20).map(|_| api.status_with(&rotated))).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(api.status_with(&api.token).await, 200, "the old key is still published");
        assert_eq!(api.issuer.fetches(), 2);
    }

    async fn a_storm_of_unknown_keys_fetches_once(db) {
        let api = TestApi::new(db).await;
        assert_eq!(api.status_with(&api.token).await, 200);
        let tokens: Vec<String> = (0..100).map(|n| api.signed_by(&format!("unknown-{n}"), 1)).collect();
        let statuses = futures(tokens.iter().map(|token| api.status_with(token))).await;
        assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
        assert_eq!(api.issuer.fetches(), 2);
        // Seconds later we look again.
        api.issuer.publish(vec![jwk("late", issuer::key(1))]);
        tokio::time::sleep(Duration::from_millis(5_100)).await;
        assert_eq!(api.status_with(&api.signed_by("late", 1)).await, 200);
        assert_eq!(api.issuer.fetches(), 3);
    }

    /// What was checked with a key is forgotten with the key.
    async fn a_withdrawn_key_vouches_for_nothing(db) {
        let api = TestApi::new(db).await;
        assert_eq!(api.status_with(&api.token).await, 200);
        api.issuer.publish(vec![jwk("second", issuer::key(1))]);
        let before = api.issuer.fetches();
        api.clock.advance(TimeDelta::seconds(241)); // four fifths of five minutes
        api.next_fetch(before).await;
        assert_eq!(api.status_with(&api.token).await, 401);
        assert_eq!(api.status_with(&api.signed_by("second", 1)).await, 200);
    }

    async fn cached_keys_serve_on_while_the_issuer_is_down_for_a_day(db) {
        let api = TestApi::new(db).await;
        assert_eq!(api.status_with(&api.token).await, 200);
        api.issuer.answer(Answers::Down);
        let before = api.issuer.fetches();
        api.clock.advance(TimeDelta::hours(23));
        api.next_fetch(before).await;
        let token = api.token_of("alice", "tasks:read");
        assert_eq!(api.status_with(&token).await, 200);
        assert_eq!(api.status_with(&api.signed_by("unknown", 1)).await, 401);
        api.clock.advance(TimeDelta::hours(2));
        assert_eq!(api.status_with(&api.token_of("alice", "tasks:read")).await, 503);
    }

    async fn the_api_starts_while_the_issuer_is_down(db) {
        let issuer = Issuer::start();
        issuer.answer(Answers::Down);
        let api = TestApi::with(db, issuer, |_| {}).await;
        let response = api.get("/api/me/tasks").await;
        assert_eq!(header(&response, "retry-after"), "5");
        problem(response, 503).await;
        let live = api.http.get(format!("{}/health/live", api.url)).send().await.unwrap();
        assert_eq!(live.status(), 200);
        api.issuer.answer(Answers::Keys);
        for _ in 0..50 {
            if api.status_with(&api.token).await == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the keys were not fetched once the issuer was back");
    }

    /// RFC 8414, for a provider that has no OpenID metadata; and no metadata at all.
    async fn keys_are_found_by_either_metadata_or_by_setting(db) {
        let issuer = Issuer::start_with_metadata_at("/.well-known/oauth-authorization-server");
        let api = TestApi::with(db, issuer, |_| {}).await;
        assert_eq!(api.status_with(&api.token).await, 200);

        let issuer = Issuer::start_with_metadata_at("/nowhere");
        let uri = format!("{}/keys", issuer.url);
        let db: TestDb = platform::testing::sqlite();
        let api = TestApi::with(db, issuer, |config| config.jwks_uri = Some(uri)).await;
        assert_eq!(api.status_with(&api.token).await, 200);
    }

    /// What the issuer can make us do is bounded: a document's size, the time it takes, and where it comes from.
    async fn an_answer_that_is_too_large_too_late_or_elsewhere_brings_no_keys(db) {
        let issuer = Issuer::start();
        issuer.answer(Answers::TooMuch);
        let api = TestApi::with(db, issuer, |_| {}).await;
        assert_eq!(api.status_with(&api.token).await, 503, "more than 256 KiB");
        for answers in [Answers::Elsewhere, Answers::Late] {
            api.issuer.answer(answers);
            let before = api.issuer.fetches();
            api.next_fetch(before).await;
            let status = tokio::time::timeout(Duration::from_secs(8), api.status_with(&api.token)).await;
            assert_eq!(status.expect("a fetch is given up after five seconds"), 503);
        }
        api.issuer.answer(Answers::Keys);
        let before = api.issuer.fetches();
        api.next_fetch(before).await;
        assert_eq!(api.status_with(&api.token).await, 200);
    }

    async fn tokens_may_be_signed_on_elliptic_curves(db) {
        let keys = ["ES256", "ES384", "EdDSA"].map(|algorithm| (algorithm, CurveKey::generate(algorithm)));
        let issuer = Issuer::start();
        issuer.publish(keys.iter().map(|(algorithm, key)| key.jwk(algorithm)).collect());
        let api = TestApi::with(db, issuer, |config| {
            config.algorithms = keys.iter().map(|(algorithm, _)| (*algorithm).to_owned()).collect();
        }).await;
        for (algorithm, key) in &keys {
            let header = |kid: &str| json!({"typ": "at+jwt", "alg": algorithm, "kid": kid});
            let good = key.sign(&header(algorithm), &api.claims());
            assert_eq!(api.status_with(&good).await, 200, "{algorithm}");
            let mut other = api.claims();
            other["sub"] = "mallory".into();
            let (_, signature) = good.rsplit_once('.').unwrap();
            let forged = format!("{}.{}.{signature}", issuer::part(&header(algorithm)), issuer::part(&other));
            assert_eq!(api.status_with(&forged).await, 401, "{algorithm}");
            for (other, _) in keys.iter().filter(|(other, _)| other != algorithm) {
                let other_key = key.sign(&header(other), &api.claims());
                assert_eq!(api.status_with(&other_key).await, 401, "{algorithm} with the key for {other}");
            }
        }
    }

    /// Only public keys for signatures are used, each for its own algorithm.
    async fn keys_that_are_not_for_this_are_not_used(db) {
        let issuer = Issuer::start();
        let with = |kid: &str, change: fn(&mut Value)| {
            let mut key = jwk(kid, issuer::key(1));
            change(&mut key);
            key
        };
        issuer.publish(vec![
            json!("not a key"),
            json!({"kty": "future", "kid": "future"}),
            json!({"kty": "oct", "kid": "mac", "k": "c2VjcmV0", "alg": "HS256"}),
            with("encryption", |key| key["use"] = "enc".into()),
            with("signing only", |key| key["key_ops"] = json!(["sign"])),
            with("other alg", |key| key["alg"] = "PS256".into()),
            with("for encryption", |key| key["alg"] = "RSA-OAEP".into()),
            with("private", |key| key["d"] = "AQAB".into()),
            with("no alg", |key| _ = key.as_object_mut().unwrap().remove("alg")),
            jwk("first", issuer::key(0)),
        ]);
        let api = TestApi::with(db, issuer, |_| {}).await;
        assert_eq!(api.status_with(&api.token).await, 200);
        for kid in ["future", "mac", "encryption", "signing only", "other alg", "for encryption", "private"] {
            assert_eq!(api.status_with(&api.signed_by(kid, 1)).await, 401, "{kid}");
        }
        assert_eq!(api.status_with(&api.signed_by("no alg", 1)).await, 200);
    }
}

/// Runs them all at once.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures_util::future::join_all(all).await
}
