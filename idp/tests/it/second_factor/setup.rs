//! Turning an authenticator app on and off.

use chrono::TimeDelta;
use idp::admin;
use platform::{db::on_conn, on_each_database};
use reqwest::StatusCode;

use super::phone::{Phone, recovery_codes};
use crate::fixture::{Browser, PASSWORD, TestIdp, location};

async fn text(browser: &Browser<'_>, path: &str) -> String {
    let page = browser.get(path).await;
    assert_eq!(page.status(), StatusCode::OK, "{path}");
    page.text().await.unwrap()
}

on_each_database! {
    async fn an_app_counts_once_a_first_code_has_confirmed_it(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let page = text(&alice, "/account/totp").await;
        assert!(page.contains("<svg") && page.contains("<path"), "{page}");
        let phone = Phone::with_key_of(&page);
        let again = Phone::with_key_of(&text(&alice, "/account/totp").await);
        assert_eq!(again.code(&idp), phone.code(&idp), "a page that was loaded again has the same key");

        for wrong in [phone.wrong_code(&idp), String::new(), "abc".to_owned(), phone.code_in(&idp, 2)] {
            let refused = alice.post("/account/totp", &[("code", &wrong)]).await;
            assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
            let page = refused.text().await.unwrap();
            assert!(page.contains("aria-describedby") && page.contains("id=\"code-error\""), "{page}");
            assert_eq!(Phone::with_key_of(&page).code(&idp), phone.code(&idp));
        }
        let other = idp.browser();
        assert_eq!(location(&other.log_in("/login", "alice", PASSWORD).await), "/account", "it does not count yet");

        let on = alice.post("/account/totp", &[("code", &phone.code(&idp))]).await;
        let codes = recovery_codes(&on.text().await.unwrap());
        assert_eq!(codes.len(), 10);
        assert!(codes.iter().all(|code| code.len() == 19), "{codes:?}");
        let twice = alice.post("/account/totp", &[("code", &phone.code(&idp))]).await;
        assert_ne!(twice.status(), StatusCode::OK, "what was confirmed is not there any more");
        idp.after_password("alice").await;
    }

    /// Who got as far as this page elsewhere has seen another key.
    async fn each_browser_sets_up_a_key_of_its_own(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let thief = idp.browser();
        thief.log_in("/login", "alice", PASSWORD).await;
        let seen = Phone::with_key_of(&text(&thief, "/account/totp").await);
        let own = Phone::with_key_of(&text(&alice, "/account/totp").await);
        assert_ne!(seen.code(&idp), own.code(&idp));
        let refused = alice.post("/account/totp", &[("code", &seen.code(&idp))]).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let bob = idp.signed_up("bob").await;
        assert_ne!(Phone::with_key_of(&text(&bob, "/account/totp").await).code(&idp), own.code(&idp));
    }

    async fn a_key_is_shown_for_half_an_hour(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let old = Phone::with_key_of(&text(&alice, "/account/totp").await);
        idp.clock.advance(TimeDelta::minutes(30));
        alice.log_in("/login", "alice", PASSWORD).await;
        let refused = alice.post("/account/totp", &[("code", &old.code(&idp))]).await;
        assert_ne!(refused.status(), StatusCode::OK);
        let new = Phone::with_key_of(&text(&alice, "/account/totp").await);
        assert_ne!(new.code(&idp), old.code(&idp));
        idp::store::sweep(&idp.db, idp.clock.now() + TimeDelta::hours(2)).await.unwrap();
        assert_ne!(Phone::with_key_of(&text(&alice, "/account/totp").await).code(&idp), new.code(&idp));
    }

    /// A stolen database makes no codes, and a row that is put under another person's name opens nothing.
    async fn keys_are_stored_encrypted_for_their_owner(db) {
        let idp = TestIdp::new(db).await;
        let (_, alices, _) = idp.with_app("alice").await;
        let (_, bobs, _) = idp.with_app("bob").await;
        let stored = async |email: &str| -> Vec<u8> {
            let mut conn = idp.db.read().await.unwrap();
            on_conn!(&mut conn, |conn| {
                let sql = "SELECT secret FROM totp_secrets JOIN users ON users.id = user_id WHERE email = $1";
                sqlx::query_scalar(sql).bind(email).fetch_one(conn).await
            }).unwrap()
        };
        let secret = stored("alice@example.com").await;
        assert_eq!(secret.len(), 12 + 20 + 16, "nonce, key, tag");
        assert!(!secret.windows(20).any(|part| part == alices.key()));
        let mut tx = idp.db.write().await.unwrap();
        on_conn!(&mut tx, |conn| {
            let sql = "UPDATE totp_secrets SET secret = $1 WHERE user_id = (SELECT id FROM users WHERE email = 'bob@example.com')";
            sqlx::query(sql).bind(&secret).execute(conn).await.map(drop)
        }).unwrap();
        tx.commit().await.unwrap();
        let browser = idp.after_password("bob").await;
        for code in [alices.code(&idp), bobs.code(&idp)] {
            browser.second(&code).await;
        }
        assert!(!browser.has_session());
    }

    async fn a_new_phone_takes_the_place_of_the_old_one(db) {
        let idp = TestIdp::new(db).await;
        let (alice, old, codes) = idp.with_app("alice").await;
        let new = Phone::with_key_of(&text(&alice, "/account/totp/setup").await);
        let browser = idp.after_password("alice").await;
        assert_eq!(location(&browser.second(&old.code(&idp)).await), "/account", "until it is confirmed");
        idp.next_step();
        let answer = alice.post("/account/totp", &[("code", &new.code(&idp))]).await;
        assert_eq!(location(&answer), "/account/security", "the recovery codes stay");
        idp.next_step();
        let browser = idp.after_password("alice").await;
        assert_eq!(browser.second(&old.code(&idp)).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(location(&browser.second(&new.code(&idp)).await), "/account");
        assert_eq!(location(&idp.after_password("alice").await.recover(&codes[0]).await), "/account");
    }

    async fn turning_it_off_takes_the_recovery_codes_along(db) {
        let idp = TestIdp::new(db).await;
        let (alice, _, codes) = idp.with_app("alice").await;
        assert!(text(&alice, "/account/totp").await.contains("/account/totp/off"));
        assert_eq!(location(&alice.post("/account/totp/off", &[]).await), "/account/security");
        let browser = idp.browser();
        assert_eq!(location(&browser.log_in("/login", "alice", PASSWORD).await), "/account");
        let (_, new) = alice.set_up_app().await;
        assert!(codes.iter().all(|code| !new.contains(code)));
        assert_eq!(idp.after_password("alice").await.recover(&codes[0]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn nothing_is_changed_without_a_log_in_of_now(db) {
        let idp = TestIdp::new(db).await;
        let (alice, phone, _) = idp.with_app("alice").await;
        let bob = idp.signed_up("bob").await;
        let bobs = Phone::with_key_of(&text(&bob, "/account/totp").await);
        idp.clock.advance(TimeDelta::minutes(11));
        for path in ["/account/totp", "/account/totp/setup", "/account/recovery-codes"] {
            assert!(location(&alice.get(path).await).starts_with("/login?"), "{path}");
        }
        for path in ["/account/totp/off", "/account/recovery-codes"] {
            assert!(location(&alice.post(path, &[]).await).starts_with("/login?"), "{path}");
        }
        assert!(location(&bob.post("/account/totp", &[("code", &bobs.code(&idp))]).await).starts_with("/login?"));
        assert_eq!(location(&idp.browser().log_in("/login", "bob", PASSWORD).await), "/account");
        let browser = idp.after_password("alice").await;
        assert_eq!(location(&browser.second(&phone.code(&idp)).await), "/account", "nothing was turned off");
        for path in ["/account/totp", "/account/recovery-codes", "/account/totp/setup"] {
            assert!(location(&idp.browser().get(path).await).starts_with("/login"), "{path}");
        }
    }

    async fn operators_help_who_has_lost_everything(db) {
        let idp = TestIdp::new(db).await;
        let (alice, _, codes) = idp.with_app("alice").await;
        let (_, bobs, _) = idp.with_app("bob").await;
        let (_, tokens) = idp.redeem("web", &alice.code("web", &[]).await, &[]).await;
        let reset = async |email| admin::users::reset_second_factors(&idp.operator, email, idp.clock.now()).await;
        reset("Alice@Example.com").await.unwrap();
        assert!(reset("nobody@example.com").await.is_err());
        assert!(location(&alice.get("/account").await).starts_with("/login"), "every session has ended");
        assert!(!idp.is_active("web", &tokens["refresh_token"]).await);
        let browser = idp.browser();
        assert_eq!(location(&browser.log_in("/login", "alice", PASSWORD).await), "/account");
        let (_, new) = browser.set_up_app().await;
        assert!(codes.iter().all(|code| !new.contains(code)));
        assert_eq!(location(&idp.after_password("bob").await.second(&bobs.code(&idp)).await), "/account", "nobody else's");
    }
}
