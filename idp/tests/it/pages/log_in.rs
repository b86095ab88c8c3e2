use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use idp::store;
use platform::on_each_database;

use super::visitor::{EMAIL, PASSWORD, Place};

on_each_database! {
    async fn who_signed_up_logs_in_elsewhere(db) {
        let place = Place::new(db).await;
        place.alice().await;
        let mut phone = place.visitor();
        assert!(!phone.is_logged_in().await);
        let answer = phone.log_in(" Alice@EXAMPLE.com ", PASSWORD).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/account"));
        let account = phone.get("/account").await.body;
        assert!(account.contains("Alice") && account.contains(EMAIL) && account.contains("just now"));
        assert_eq!(phone.get("/login").await.location(), "/account");
        assert_eq!(phone.get("/").await.location(), "/account");
    }

    async fn unknown_wrong_disabled_and_too_long_get_one_answer(db) {
        let place = Place::new(db).await;
        place.alice().await;
        let mut bob = place.visitor();
        bob.get("/signup").await;
        let form = [("name", "Bob"), ("email", "bob@example.com"), ("password", PASSWORD)];
        bob.post("/signup", &form).await;
        place.disable("bob@example.com").await;

        let mut visitor = place.visitor_from("192.0.2.9");
        visitor.get("/login").await;
        let wrong = visitor.log_in(EMAIL, "something else").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.headers.get(header::SET_COOKIE).is_none());
        let long = "long ".repeat(1000);
        for (who, email, password) in [
            ("unknown", "nobody@example.com", "something else"),
            ("disabled", "bob@example.com", PASSWORD),
            ("too long", EMAIL, long.as_str()),
            ("too long for nobody", "nobody@example.com", long.as_str()),
        ] {
            let answer = visitor.log_in(email, password).await;
            assert_eq!(answer.traits(email), wrong.traits(EMAIL), "{who}");
        }
    }

    async fn what_was_typed_stays_but_never_the_password(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        let long = format!("{PASSWORD} and {}", "more ".repeat(100));
        for password in ["wrong password", long.as_str()] {
            let answer = visitor.log_in("someone@example.com", password).await;
            assert!(answer.body.contains("value=\"someone@example.com\""));
            assert!(!answer.body.contains(password));
        }
        let answer = visitor.log_in("no address", "").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("Enter an e-mail address, like") && answer.body.contains("Enter your password"));
    }

    /// Session fixation: an id that somebody knew before log-in is worth nothing after it.
    async fn a_log_in_gets_a_new_session_and_ends_the_old_one(db) {
        let place = Place::new(db).await;
        let mut alice = place.alice().await;
        let before = alice.clone();
        alice.log_in(EMAIL, PASSWORD).await;
        assert_ne!(alice.session(), before.session());
        assert!(alice.is_logged_in().await);
        assert!(!before.clone().is_logged_in().await, "the session before the log-in lives on");

        let mut victim = place.visitor();
        let planted = format!("lkb_{}", "A".repeat(43));
        victim.cookies.set("latchkey_idp_session", &planted);
        victim.log_in(EMAIL, PASSWORD).await;
        assert_ne!(victim.session(), Some(planted.clone()));
        let mut attacker = place.visitor();
        attacker.cookies.set("latchkey_idp_session", &planted);
        assert!(!attacker.is_logged_in().await);
    }

    async fn a_session_ends_when_idle_and_however_much_it_is_used(db) {
        let place = Place::with(db, |config| {
            config.sessions.idle = 3600;
            config.sessions.lifetime = 10_000;
        }).await;
        let mut alice = place.alice().await;
        let mut idle = place.visitor();
        idle.log_in(EMAIL, PASSWORD).await;
        for _ in 0..4 {
            place.clock.advance(TimeDelta::seconds(2400));
            assert!(alice.is_logged_in().await);
        }
        assert!(!idle.is_logged_in().await, "an idle session lives on");
        place.clock.advance(TimeDelta::seconds(600));
        assert!(!alice.is_logged_in().await, "a session outlives its lifetime");
    }

    async fn a_disabled_person_is_out_at_once(db) {
        let place = Place::new(db).await;
        let mut alice = place.alice().await;
        assert!(alice.is_logged_in().await);
        place.disable(EMAIL).await;
        assert!(!alice.is_logged_in().await);
    }

    async fn old_hash_parameters_are_replaced_at_log_in(db) {
        let place = Place::new(db).await;
        place.alice().await;
        let place = place.restart(|config| config.passwords.memory = 16).await;
        let answer = place.visitor().log_in(EMAIL, PASSWORD).await;
        assert_eq!(answer.location(), "/account");
        let mut tx = place.tx().await;
        let stored = store::users::find_credentials(&mut tx, EMAIL).await.unwrap().unwrap();
        assert!(stored.password_hash.is_some_and(|hash| hash.contains("m=16")));
    }

    async fn cookies_are_kept_from_scripts_and_other_sites(db) {
        let place = Place::new(db).await;
        place.alice().await;
        let mut phone = place.visitor();
        let answer = phone.log_in(EMAIL, PASSWORD).await;
        let cookies: Vec<_> = answer.headers.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(cookies.len(), 2);
        for cookie in cookies {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax") && !cookie.contains("Domain"), "{cookie}");
        }

        let place = place.restart(|config| config.issuer = "https://id.example".to_owned()).await;
        let answer = place.visitor().log_in(EMAIL, PASSWORD).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("__Host-latchkey_idp_") && cookie.ends_with("; Secure"), "{cookie}");
        }
    }
}
