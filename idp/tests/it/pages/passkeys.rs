//! Passkeys, with an authenticator in software.

use axum::http::StatusCode;
use chrono::TimeDelta;
use idp::store::sessions;
use platform::{on_each_database, secret::SecretHash, testing::TestDb};
use serde_json::Value;

use super::visitor::{Answer, EMAIL, PASSWORD, Place, Visitor};
use crate::authenticator::Authenticator;

pub const ADD: &str = "/account/passkeys/add";
pub const LOG_IN: &str = "/login/passkey";

/// What the page's script is told to ask the authenticator.
pub async fn options(visitor: &mut Visitor, path: &str) -> Value {
    let answer = visitor.post(&format!("{path}/options"), &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Adds a passkey for whoever is logged in.
pub async fn add(place: &Place, visitor: &mut Visitor, name: &str) -> Authenticator {
    let mut authenticator = Authenticator::new(&place.config.issuer);
    visitor.get(ADD).await;
    let credential = authenticator.create(&options(visitor, ADD).await);
    let answer = visitor.post(ADD, &[("name", name), ("credential", &credential)]).await;
    assert_eq!(answer.location(), "/account/passkeys", "{}", answer.body);
    authenticator
}

pub async fn log_in(visitor: &mut Visitor, authenticator: &mut Authenticator) -> Answer {
    visitor.get("/login").await;
    let options = options(visitor, LOG_IN).await;
    authenticator.counter += 1;
    answer(visitor, &authenticator.get(&options)).await
}

pub async fn answer(visitor: &mut Visitor, credential: &str) -> Answer {
    visitor.post(LOG_IN, &[("credential", credential)]).await
}

#[track_caller]
pub fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.location());
    assert!(answer.body.contains("This passkey was not accepted."), "{}", answer.body);
}

/// How whoever is logged in here has logged in.
pub async fn amr(place: &Place, visitor: &Visitor) -> idp::store::Words {
    let (now, token) = (place.clock.now(), SecretHash::of(&visitor.session().unwrap()));
    let mut tx = place.tx().await;
    let session = sessions::find_live(&mut tx, &token, now, now - TimeDelta::days(1)).await;
    session.unwrap().unwrap().amr
}

pub async fn alice_with_a_passkey(db: TestDb) -> (Place, Visitor, Authenticator) {
    let place = Place::new(db).await;
    let mut alice = place.alice().await;
    let authenticator = add(&place, &mut alice, "Key ring").await;
    (place, alice, authenticator)
}

on_each_database! {
    async fn a_passkey_is_added_and_logs_in_alone(db) {
        let (place, mut alice, mut authenticator) = alice_with_a_passkey(db).await;
        let list = alice.get("/account/passkeys").await.body;
        assert!(list.contains("Key ring") && list.contains("not used yet"), "{list}");

        let mut visitor = place.visitor_from("192.0.2.7");
        for _ in 0..2 {
            assert_eq!(log_in(&mut visitor, &mut authenticator).await.location(), "/account");
            assert!(visitor.is_logged_in().await);
            assert!(amr(&place, &visitor).await.has("mfa"));
            assert!(visitor.get("/account/passkeys").await.body.contains("last used"));
            visitor.cookies.remove("latchkey_idp_session");
        }
    }

    async fn what_an_authenticator_is_asked_is_discoverable_verified_and_not_twice_the_same(db) {
        let (place, mut alice, authenticator) = alice_with_a_passkey(db).await;
        let asked = options(&mut alice, ADD).await["publicKey"].clone();
        assert_eq!(asked["rp"]["id"], "localhost");
        assert_eq!(asked["user"]["name"], EMAIL);
        let selection = &asked["authenticatorSelection"];
        assert_eq!(selection["residentKey"], "required");
        assert_eq!(selection["requireResidentKey"], true);
        assert_eq!(selection["userVerification"], "required");
        assert_eq!(asked["attestation"], "none");
        let mut same = Authenticator::new(&place.config.issuer);
        same.id = authenticator.id.clone();
        let excluded: Value = serde_json::from_str(&same.create(&Value::Null)).unwrap();
        assert_eq!(asked["excludeCredentials"][0]["id"], excluded["id"]);

        let mut visitor = place.visitor();
        visitor.get("/login").await;
        let first = options(&mut visitor, LOG_IN).await["publicKey"].clone();
        assert_eq!(first["rpId"], "localhost");
        assert_eq!(first["userVerification"], "required");
        assert_eq!(first["allowCredentials"].as_array().map(Vec::len), Some(0));
        assert_ne!(first["challenge"], options(&mut visitor, LOG_IN).await["publicKey"]["challenge"]);
    }

    /// Every lie that an authenticator or a browser can tell, one at a time, and one answer to all of them.
    async fn an_answer_that_is_wrong_in_one_thing_logs_nobody_in(db) {
        let (place, _alice, mut authenticator) = alice_with_a_passkey(db).await;
        type Lie = (&'static str, fn(&mut Authenticator));
        let lies: [Lie; 10] = [
            ("another site's origin", |it| it.origin = "https://evil.example".to_owned()),
            ("another port's origin", |it| it.origin = "http://localhost:1".to_owned()),
            ("a subdomain's origin", |it| it.origin = it.origin.replace("localhost", "a.localhost")),
            ("another place's credential", |it| it.rp_id = "evil.example".to_owned()),
            ("in another site's frame", |it| it.cross_origin = true),
            ("nobody was there", |it| it.user_present = false),
            ("nobody was verified", |it| it.user_verified = false),
            ("a forged signature", |it| it.forges = true),
            ("a credential that nobody has", |it| it.id = vec![7; 32]),
            ("nobody's credential", |it| it.user_handle = None),
        ];
        let mut visitor = place.visitor_from("192.0.2.7");
        for (what, lie) in lies {
            let mut liar = authenticator.clone();
            lie(&mut liar);
            refused(&log_in(&mut visitor, &mut liar).await);
            assert!(visitor.session().is_none(), "{what}");
        }
        for garbage in ["", "{}", "null", "[]", &"x".repeat(2000), r#"{"id":"a","rawId":"a","type":"public-key","response":{}}"#] {
            refused(&answer(&mut visitor, garbage).await);
        }
        assert_eq!(log_in(&mut visitor, &mut authenticator).await.location(), "/account");
    }

    async fn an_assertion_is_good_once(db) {
        let (place, _alice, mut authenticator) = alice_with_a_passkey(db).await;
        let mut visitor = place.visitor_from("192.0.2.7");
        visitor.get("/login").await;
        let asked = options(&mut visitor, LOG_IN).await;
        authenticator.counter += 1;
        let assertion = authenticator.get(&asked);
        assert_eq!(answer(&mut visitor, &assertion).await.location(), "/account");
        refused(&answer(&mut visitor, &assertion).await);
        // Nor is its challenge, for a fresh one.
        authenticator.counter += 1;
        refused(&answer(&mut visitor, &authenticator.get(&asked)).await);
        // One that was wrong spends it, too.
        let asked = options(&mut visitor, LOG_IN).await;
        authenticator.forges = true;
        refused(&answer(&mut visitor, &authenticator.get(&asked)).await);
        authenticator.forges = false;
        refused(&answer(&mut visitor, &authenticator.get(&asked)).await);
    }

    async fn of_twenty_that_bring_the_same_assertion_one_is_logged_in(db) {
        let (place, _alice, mut authenticator) = alice_with_a_passkey(db).await;
        let mut visitor = place.visitor_from("192.0.2.7");
        visitor.get("/login").await;
        let asked = options(&mut visitor, LOG_IN).await;
        authenticator.counter += 1;
        let assertion = authenticator.get(&asked);
        let racers: Vec<_> = (0..20).map(|_| {
            let (mut racer, assertion) = (visitor.clone(), assertion.clone());
            tokio::spawn(async move { answer(&mut racer, &assertion).await.status })
        }).collect();
        let mut passed = 0;
        for racer in racers {
            passed += usize::from(racer.await.unwrap() == StatusCode::SEE_OTHER);
        }
        assert_eq!(passed, 1);
    }

    async fn a_challenge_is_for_its_browser_its_purpose_and_five_minutes(db) {
        let (place, mut alice, mut authenticator) = alice_with_a_passkey(db).await;
        let mut visitor = place.visitor_from("192.0.2.7");
        visitor.get("/login").await;
        let asked = options(&mut visitor, LOG_IN).await;
        authenticator.counter += 1;
        let assertion = authenticator.get(&asked);
        let mut other = place.visitor_from("192.0.2.8");
        other.get("/login").await;
        refused(&answer(&mut other, &assertion).await);
        place.clock.advance(TimeDelta::seconds(301));
        refused(&answer(&mut visitor, &assertion).await);

        alice.log_in(EMAIL, PASSWORD).await;
        let for_adding = options(&mut alice, ADD).await;
        refused(&answer(&mut alice, &authenticator.get(&for_adding)).await);
        let for_log_in = options(&mut alice, LOG_IN).await;
        let credential = Authenticator::new(&place.config.issuer).create(&for_log_in);
        let answer = alice.post(ADD, &[("name", ""), ("credential", &credential)]).await;
        assert!(answer.body.contains("The passkey was not added."), "{}", answer.body);
    }

    /// The private key is in two places: the one that is behind betrays it.
    async fn a_counter_that_does_not_go_on_is_refused(db) {
        let (place, _alice, mut authenticator) = alice_with_a_passkey(db).await;
        let mut visitor = place.visitor_from("192.0.2.7");
        authenticator.counter = 40;
        assert_eq!(log_in(&mut visitor, &mut authenticator).await.location(), "/account");
        for counter in [40, 7, 0] {
            authenticator.counter = counter;
            visitor.get("/login").await;
            let asked = options(&mut visitor, LOG_IN).await;
            refused(&answer(&mut visitor, &authenticator.get(&asked)).await);
        }
        authenticator.counter = 41;
        assert_eq!(log_in(&mut visitor, &mut authenticator).await.location(), "/account");
    }

    /// As those do that are on several devices.
    async fn an_authenticator_that_does_not_count_is_taken(db) {
        let place = Place::new(db).await;
        let mut alice = place.alice().await;
        let mut authenticator = Authenticator::new(&place.config.issuer);
        (authenticator.counter, authenticator.backed_up) = (0, true);
        alice.get(ADD).await;
        let credential = authenticator.create(&options(&mut alice, ADD).await);
        alice.post(ADD, &[("name", ""), ("credential", &credential)]).await;
        let list = alice.get("/account/passkeys").await.body;
        assert!(list.contains("Security key") && list.contains("on all devices"), "{list}");
        let mut visitor = place.visitor_from("192.0.2.7");
        for _ in 0..2 {
            visitor.get("/login").await;
            let asked = options(&mut visitor, LOG_IN).await;
            assert_eq!(answer(&mut visitor, &authenticator.get(&asked)).await.location(), "/account");
        }
    }

    async fn a_disabled_person_is_refused_like_an_unknown_passkey(db) {
        let (place, _alice, mut authenticator) = alice_with_a_passkey(db).await;
        let mut visitor = place.visitor_from("192.0.2.7");
        let mut unknown = Authenticator::new(&place.config.issuer);
        unknown.user_handle = authenticator.user_handle.clone();
        place.disable(EMAIL).await;
        let disabled = log_in(&mut visitor, &mut authenticator).await;
        refused(&disabled);
        let unknown = log_in(&mut visitor, &mut unknown).await;
        assert_eq!(disabled.traits(EMAIL), unknown.traits(EMAIL));
        assert!(visitor.session().is_none());
    }
}
