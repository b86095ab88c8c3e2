//! Logging in with an authenticator app's code.

use chrono::TimeDelta;
use futures_util::future::join_all;
use platform::on_each_database;
use reqwest::{StatusCode, header};
use serde_json::json;

use super::phone::Phone;
use crate::fixture::{self, PASSWORD, TestIdp, claims, location, redirected};

on_each_database! {
    async fn who_has_an_app_gets_in_with_its_code_and_not_without(db) {
        let idp = TestIdp::new(db).await;
        let (_, phone, _) = idp.with_app("alice").await;
        let browser = idp.browser();
        let login = location(&browser.authorize("web", &[]).await);
        let second = location(&browser.log_in(&login, "alice", PASSWORD).await);
        assert!(second.starts_with("/login/second?request="), "{second}");
        assert!(!browser.has_session());
        let resume = login.replace("/login", "/authorize/resume");
        assert!(location(&browser.get(&resume).await).starts_with("/login?"), "nothing goes on before");
        assert_eq!(redirected(&browser.authorize("web", &[("prompt", "none")]).await).1["error"], "login_required");

        let page = browser.get(&second).await;
        let refused = browser.submit(page, &[("code", &phone.wrong_code(&idp))]).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!browser.has_session());
        let entered = browser.submit(refused, &[("code", &phone.code(&idp))]).await;
        assert_eq!(location(&entered), resume);
        let (_, answer) = redirected(&browser.get(&resume).await);
        let (_, tokens) = idp.redeem("web", &answer["code"], &[]).await;
        let id_token = claims(&tokens["id_token"]);
        assert_eq!((&id_token["acr"], &id_token["amr"]), (&json!("urn:latchkey:acr:2fa"), &json!(["pwd", "otp", "mfa"])));
        let introspected = idp.authenticated("/introspect", "web", &[("token", tokens["access_token"].as_str().unwrap())]);
        for token in [claims(&tokens["access_token"]), fixture::answer(introspected).await.1] {
            assert_eq!((&token["acr"], &token["amr"]), (&id_token["acr"], &id_token["amr"]));
        }
        let (_, refreshed) = idp.refresh("web", &tokens["refresh_token"]).await;
        assert_eq!(claims(&refreshed["id_token"])["amr"], id_token["amr"], "a refresh is the same log-in");
        assert_eq!(browser.second(&phone.code(&idp)).await.headers()[header::LOCATION], "/login", "it is over");
    }

    async fn a_code_is_good_once(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let page = alice.get("/account/totp").await.text().await.unwrap();
        let phone = Phone::with_key_of(&page);
        let confirming = phone.code(&idp);
        alice.post("/account/totp", &[("code", &confirming)]).await;
        let browser = idp.after_password("alice").await;
        let refused = browser.second(&confirming).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "the code that confirmed the app");

        idp.next_step();
        idp.next_step();
        let (older, code) = (phone.code_in(&idp, -1), phone.code(&idp));
        assert_eq!(location(&browser.second(&code).await), "/account");
        let other = idp.after_password("alice").await;
        for spent in [&code, &older] {
            assert_eq!(other.second(spent).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert!(!other.has_session());
        idp.next_step();
        assert_eq!(location(&other.second(&phone.code(&idp)).await), "/account");
    }

    async fn of_fifty_that_send_the_same_code_one_gets_in(db) {
        let idp = TestIdp::with(db, |config| {
            config.throttle.per_account_and_network = 1000;
            config.throttle.per_account = 1000;
            config.throttle.per_network = 1000;
        }).await;
        let (_, phone, _) = idp.with_app("alice").await;
        let mut browsers = Vec::new();
        for _ in 0..50 {
            browsers.push(idp.after_password("alice").await);
        }
        let code = phone.code(&idp);
        join_all(browsers.iter().map(|browser| browser.second(&code))).await;
        assert_eq!(browsers.iter().filter(|browser| browser.has_session()).count(), 1);
    }

    /// RFC 6238 §5.2: one step, either way.
    async fn a_phone_may_be_half_a_minute_off(db) {
        let idp = TestIdp::new(db).await;
        let (_, phone, _) = idp.with_app("alice").await;
        for (steps, good) in [(1, true), (3, false), (-2, false), (2, false)] {
            let browser = idp.after_password("alice").await;
            browser.second(&phone.code_in(&idp, steps)).await;
            assert_eq!(browser.has_session(), good, "{steps} steps");
        }
        idp.clock.advance(TimeDelta::minutes(5));
        let browser = idp.after_password("alice").await;
        browser.second(&phone.code_in(&idp, -1)).await;
        assert!(browser.has_session());
    }

    async fn a_code_is_worth_nothing_for_anybody_else_or_anywhere_else(db) {
        let idp = TestIdp::new(db).await;
        let (_, alices, codes) = idp.with_app("alice").await;
        let (_, bobs, _) = idp.with_app("bob").await;
        let browser = idp.after_password("alice").await;
        assert_eq!(browser.second(&bobs.code(&idp)).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let bob = idp.after_password("bob").await;
        assert_eq!(bob.recover(&codes[0]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(location(&idp.browser().second(&alices.code(&idp)).await), "/login", "nothing was begun there");

        // What was begun in one browser goes on in no other, whoever took its cookie.
        let thief = idp.browser();
        thief.form_token().await;
        let login = browser.cookies.get("latchkey_idp_login").unwrap();
        thief.cookies.set("latchkey_idp_login", &login);
        assert_eq!(location(&thief.second(&alices.code(&idp)).await), "/login");
        assert_eq!(location(&browser.second(&alices.code(&idp)).await), "/account", "and is not harmed by that");
    }

    async fn who_takes_longer_than_ten_minutes_begins_again(db) {
        let idp = TestIdp::new(db).await;
        let (_, phone, _) = idp.with_app("alice").await;
        let browser = idp.after_password("alice").await;
        idp.clock.advance(TimeDelta::minutes(10));
        assert_eq!(location(&browser.get("/login/second").await), "/login");
        assert_eq!(location(&browser.second(&phone.code(&idp)).await), "/login");
        assert!(!browser.has_session());
    }

    async fn ten_wrong_codes_end_the_log_in(db) {
        let idp = TestIdp::with(db, |config| config.throttle.per_account_and_network = 1000).await;
        let (_, phone, _) = idp.with_app("alice").await;
        let browser = idp.after_password("alice").await;
        for _ in 0..9 {
            assert_eq!(browser.second(&phone.wrong_code(&idp)).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert_eq!(location(&browser.second(&phone.wrong_code(&idp)).await), "/login");
        assert_eq!(location(&browser.second(&phone.code(&idp)).await), "/login");
        assert!(!browser.has_session());
    }

    /// Who knows the password must not get more guesses by it, wherever they are.
    async fn guesses_wait_twice_as_long_each_and_no_password_starts_the_count_again(db) {
        let idp = TestIdp::new(db).await;
        let (owner, phone, codes) = idp.with_app("alice").await;
        let mut guesser = idp.after_password("alice").await;
        for _ in 0..5 {
            assert_eq!(guesser.second(&phone.wrong_code(&idp)).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
        for seconds in [1, 2] {
            guesser = idp.after_password("alice").await;
            let refused = guesser.second(&phone.code(&idp)).await;
            assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "even the right one waits");
            assert_eq!(refused.headers()[header::RETRY_AFTER], seconds.to_string().as_str());
            assert_eq!(guesser.recover(&codes[0]).await.status(), StatusCode::TOO_MANY_REQUESTS, "all kinds alike");
            idp.clock.advance(TimeDelta::seconds(seconds));
            assert_eq!(guesser.second(&phone.wrong_code(&idp)).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
        // The browser that the account was used in before does not stand in that line.
        owner.post("/logout/confirm", &[]).await;
        assert_eq!(location(&owner.log_in("/login", "alice", PASSWORD).await), "/login/second");
        assert_eq!(location(&owner.second(&phone.code(&idp)).await), "/account");
    }
}
