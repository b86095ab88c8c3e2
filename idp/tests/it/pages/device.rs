//! Entering the code of a device, RFC 8628 §3.3, and guessing at codes (§5.1).

use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use idp::{Config, config::ClientConfig};
use platform::on_each_database;
use serde_json::Value;

use super::visitor::{Answer, EMAIL, PASSWORD, Place, Visitor};

pub fn with_tv(config: &mut Config) {
    config.clients.push(ClientConfig {
        client_id: "tv".to_owned(),
        name: "Big <TV>".to_owned(),
        grant_types: Some(vec!["urn:ietf:params:oauth:grant-type:device_code".to_owned()]),
        scope: Some("openid email tasks:read fax:send".to_owned()),
        ..ClientConfig::default()
    });
}

/// The code of a device in that network.
pub async fn code(place: &Place, network: &'static str) -> String {
    let mut device = place.visitor_from(network);
    let request = device.request("/device_authorization").form(&[("client_id", "tv")]);
    let answer: Value = serde_json::from_str(&device.send(request).await.body).unwrap();
    answer["user_code"].as_str().unwrap().to_owned()
}

async fn enter(visitor: &mut Visitor, code: &str) -> Answer {
    visitor.get("/device").await;
    visitor.post("/device", &[("code", code)]).await
}

/// Well-formed, and nobody's.
const WRONG: &str = "BBBB-BBBB";

on_each_database! {
    async fn the_person_sees_what_is_asked_by_whom_and_from_where(db) {
        let place = Place::with(db, with_tv).await;
        let mut alice = place.alice().await;
        for (network, said) in [("192.0.2.1", "the network that you are in now"), ("198.51.100.7", "another network")] {
            let code = code(&place, network).await;
            place.clock.advance(TimeDelta::minutes(2));
            let form = alice.get(&format!("/device?user_code={code}")).await;
            assert!(form.body.contains(&format!("value=\"{code}\"")), "{}", form.body);
            let answer = alice.post("/device", &[("code", &code)]).await;
            assert_eq!(answer.location(), format!("/device/confirm?user_code={code}"));
            let page = alice.get(answer.location()).await;
            for shown in [
                "Allow <bdi>Big &#60;TV&#62;</bdi> in?", &code, network, said, "2 minutes ago", EMAIL, "See your tasks",
                "<code>fax:send</code>", "Know that it is you", "id=\"device-confirm\"", "id=\"device-deny\"",
            ] {
                assert!(page.body.contains(shown), "{shown}: {}", page.body);
            }
            let done = alice.post("/device/confirm", &[("user_code", &code), ("decision", "allow")]).await;
            assert!(done.body.contains("Your device is connected") && done.body.contains("Big &#60;TV&#62;"));
            let again = alice.post("/device/confirm", &[("user_code", &code), ("decision", "deny")]).await;
            assert_eq!(again.status, StatusCode::BAD_REQUEST, "an answer counts once");
        }
        let code = code(&place, "192.0.2.1").await;
        enter(&mut alice, &code).await;
        let refused = alice.post("/device/confirm", &[("user_code", &code), ("decision", "deny")]).await;
        assert!(refused.body.contains("Nothing was allowed"));
    }

    async fn log_in_and_sign_up_on_the_way_keep_the_code(db) {
        let place = Place::with(db, with_tv).await;
        let mut alice = place.alice().await;
        let code = code(&place, "192.0.2.1").await;
        for path in ["/device", "/device/confirm"] {
            let mut visitor = place.visitor();
            let mut page = visitor.get(&format!("{path}?user_code={code}")).await;
            while !page.location().is_empty() {
                page = visitor.get(page.location()).await;
            }
            assert!(page.body.contains("to connect a device"), "{}", page.body);
            assert!(page.body.contains(&format!("href=\"/signup?user_code={code}\"")));
            let wrong = [("user_code", code.as_str()), ("email", EMAIL), ("password", "wrong password")];
            assert!(visitor.post("/login", &wrong).await.body.contains(&format!("name=\"user_code\" value=\"{code}\"")));
            let right = [("user_code", code.as_str()), ("email", EMAIL), ("password", PASSWORD)];
            assert_eq!(visitor.post("/login", &right).await.location(), format!("/device?user_code={code}"));
        }
        let mut bob = place.visitor();
        bob.get(&format!("/signup?user_code={code}")).await;
        let form = [("user_code", code.as_str()), ("name", "Bob"), ("email", "bob@example.com"), ("password", PASSWORD)];
        assert_eq!(bob.post("/signup", &form).await.location(), format!("/device?user_code={code}"));

        let mut visitor = place.visitor();
        assert_eq!(visitor.get("/device").await.location(), "/login?user_code=", "without a code, back to the form");
        let not_you = format!("/login?user_code={code}");
        assert_eq!(alice.get(&not_you).await.status, StatusCode::OK, "somebody else can log in");
        // Only codes are carried along: nothing that a link says comes back.
        let page = visitor.get("/login?user_code=%22%3E%3Cb%3Eevil").await;
        assert!(page.body.contains("name=\"user_code\" value=\"\"") && !page.body.contains("evil"));
        assert!(!alice.get("/device?user_code=evil").await.body.contains("evil"));
    }

    /// RFC 8628 §6.1.
    async fn a_code_is_known_however_it_is_typed_and_nonsense_is_no_guess(db) {
        let place = Place::with(db, with_tv).await;
        let mut alice = place.alice().await;
        let code = code(&place, "192.0.2.1").await;
        for typed in [code.to_lowercase(), code.replace('-', " "), format!(" {} ", code.replace('-', ""))] {
            assert!(enter(&mut alice, &typed).await.location().ends_with(&code), "{typed:?}");
        }
        for _ in 0..3 {
            for typed in ["", "BBBB-BBB", "AAAA-AAAA", "12345678", "\u{feff}<b>", "BBBB-BBBB-BBBB"] {
                let answer = enter(&mut alice, typed).await;
                assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed:?}");
                assert!(answer.body.contains("eight letters") && !answer.body.contains("<b>"));
            }
        }
        assert_eq!(enter(&mut alice, WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn who_has_not_entered_the_code_last_cannot_decide(db) {
        let place = Place::with(db, with_tv).await;
        let mut alice = place.alice().await;
        let mut mallory = place.visitor();
        mallory.get("/signup").await;
        mallory.post("/signup", &[("name", "M"), ("email", "m@example.com"), ("password", PASSWORD)]).await;
        let code = code(&place, "192.0.2.1").await;
        let confirm = enter(&mut mallory, &code).await.location().to_owned();
        let allow = [("user_code", code.as_str()), ("decision", "allow")];
        assert_eq!(alice.get(&confirm).await.location(), format!("/device?user_code={code}"));
        assert_eq!(alice.post("/device/confirm", &allow).await.status, StatusCode::BAD_REQUEST);
        enter(&mut alice, &code).await;
        assert_eq!(mallory.post("/device/confirm", &allow).await.status, StatusCode::BAD_REQUEST);

        let form_token = alice.form_token.clone();
        let posted = [("form_token", form_token.as_str()), allow[0], allow[1]];
        let foreign = alice.request("/device/confirm").header(header::ORIGIN, "https://evil.example").form(&posted);
        assert_eq!(alice.send(foreign).await.status, StatusCode::FORBIDDEN);
        let bare = alice.request("/device/confirm").form(&allow);
        assert_eq!(alice.send(bare).await.status, StatusCode::FORBIDDEN);
        assert_eq!(place.visitor().get(&confirm).await.location(), format!("/device?user_code={code}"));
        assert_eq!(alice.post("/device/confirm", &allow).await.status, StatusCode::OK);
    }

    async fn guesses_are_slowed_for_a_person_and_a_right_one_clears_nothing(db) {
        let place = Place::with(db, with_tv).await;
        let mut alice = place.alice().await;
        for _ in 0..4 {
            assert_eq!(enter(&mut alice, WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let code = code(&place, "192.0.2.1").await;
        assert!(enter(&mut alice, &code).await.location().ends_with(&code));
        assert_eq!(enter(&mut alice, WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        for visitor in [&mut alice.clone(), &mut place.visitor_from("203.0.113.5")] {
            visitor.log_in(EMAIL, PASSWORD).await;
            let answer = enter(visitor, &code).await;
            assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "in any browser, even the right one");
            assert_eq!(answer.header(header::RETRY_AFTER), "1");
            assert!(answer.body.contains("Too many attempts. Wait 1 second"));
        }
        place.clock.advance(TimeDelta::seconds(1));
        assert!(enter(&mut alice, &code).await.location().ends_with(&code));
    }

    async fn guesses_are_slowed_for_a_network_however_many_accounts_it_has(db) {
        let place = Place::with(db, |config| {
            with_tv(config);
            config.throttle.per_network = 4;
        }).await;
        let mut alice = place.alice().await;
        for _ in 0..4 {
            enter(&mut alice, WRONG).await;
        }
        let mut bob = place.visitor_from("192.0.2.1");
        bob.get("/signup").await;
        bob.post("/signup", &[("name", "Bob"), ("email", "bob@example.com"), ("password", PASSWORD)]).await;
        assert_eq!(enter(&mut bob, WRONG).await.status, StatusCode::TOO_MANY_REQUESTS);
        bob.network = Some("192.0.2.2");
        assert_eq!(enter(&mut bob, WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn of_50_parallel_guesses_only_the_free_ones_pass(db) {
        let place = Place::with(db, with_tv).await;
        let mut alice = place.alice().await;
        alice.get("/device").await;
        let racers = (0..50).map(|_| {
            let mut racer = alice.clone();
            tokio::spawn(async move { racer.post("/device", &[("code", WRONG)]).await.status })
        });
        let mut passed = 0;
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                StatusCode::UNPROCESSABLE_ENTITY => passed += 1,
                status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
            }
        }
        assert_eq!(passed, 5);
    }
}
