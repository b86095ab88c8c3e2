//! Disabled means disabled, everywhere, at once: user, client, session.

use std::time::Duration;

use chrono::TimeDelta;
use idp::admin;
use platform::on_each_database;
use reqwest::StatusCode;

use crate::fixture::{Browser, TestIdp, location, redirected, refused};

on_each_database! {
    async fn a_disabled_user_gets_nothing_from_anywhere(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let unused = browser.code("web", &[]).await;
        let code = browser.code("web", &[]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        admin::users::disable(&idp.operator, "alice@example.com", idp.clock.now()).await.unwrap();

        assert_eq!(idp.redeem("web", &unused, &[]).await, refused("invalid_grant"));
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"));
        assert!(!idp.is_active("web", &tokens["access_token"]).await);
        assert!(!idp.is_active("web", &tokens["refresh_token"]).await);
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(redirected(&browser.authorize("web", &[("prompt", "none")]).await).1["error"], "login_required");

        admin::users::enable(&idp.operator, "alice@example.com", idp.clock.now()).await.unwrap();
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"), "what ended stays ended");
    }

    async fn what_somebody_allowed_an_app_can_be_taken_back(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let asked = alice.authorize("shop", &[]).await;
        let page = alice.get(&location(&asked)).await;
        let allowed = alice.submit(page, &[("decision", "allow")]).await;
        let (_, tokens) = idp.redeem("shop", &redirected(&allowed).1["code"], &[]).await;
        let (_, others) = idp.redeem("web", &alice.code("web", &[]).await, &[]).await;
        let disconnect = async |client| {
            admin::users::disconnect(&idp.operator, "alice@example.com", client, idp.clock.now()).await
        };
        disconnect("shop").await.unwrap();

        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(idp.userinfo(&others["access_token"]).await.0, StatusCode::OK, "other apps keep what they have");
        assert!(location(&alice.authorize("shop", &[]).await).starts_with("/consent"), "it is asked for again");
        assert!(disconnect("shop").await.is_err() && disconnect("nobody").await.is_err());
    }

    async fn a_removed_clients_tokens_are_worth_nothing(db) {
        let idp = TestIdp::new(db).await;
        let added = idp::config::ClientConfig {
            client_id: "late".to_owned(),
            redirect_uris: vec!["https://late.example/cb".to_owned()],
            first_party: true,
            ..Default::default()
        };
        let secret = admin::clients::add(&idp.operator, added, true, idp.clock.now()).await.unwrap().unwrap();
        let browser = idp.signed_up("alice").await;
        let code = browser.code("late", &[("scope", "openid")]).await;
        let form = [
            ("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "https://late.example/cb"),
            ("code_verifier", crate::fixture::VERIFIER),
        ];
        let secret = platform::secret::ExposeSecret::expose_secret(&secret);
        let late = || idp.http.post(idp.at("/token")).basic_auth("late", Some(secret));
        let tokens: serde_json::Value = late().form(&form).send().await.unwrap().json().await.unwrap();
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::OK);

        admin::clients::remove(&idp.operator, "late", idp.clock.now()).await.unwrap();
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        // Registrations are cached for a second; what was granted is judged in the database.
        assert_ne!(late().form(&refresh).send().await.unwrap().status(), StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(late().form(&refresh).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }

    async fn what_belongs_to_a_session_ends_with_it(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let code = browser.code("web", &[]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        let (_, offline) = offline_tokens(&idp, &browser).await;
        let unused = browser.code("web", &[]).await;
        browser.post("/logout/confirm", &[]).await;

        assert_eq!(idp.redeem("web", &unused, &[]).await, refused("invalid_grant"));
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"));
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(idp.refresh("web", &offline["refresh_token"]).await.0, StatusCode::OK, "offline_access outlives it");
    }

    /// `prompt=login` of one app must not log the person out of the others.
    async fn logging_in_again_keeps_what_clients_hold(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let (_, tokens) = idp.redeem("web", &browser.code("web", &[]).await, &[]).await;
        let before = browser.cookies.get("latchkey_idp_session").unwrap();
        let login = crate::fixture::location(&browser.authorize("other", &[("prompt", "login")]).await);
        browser.log_in(&login, "alice", crate::fixture::PASSWORD).await;
        assert_ne!(browser.cookies.get("latchkey_idp_session").unwrap(), before);
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await.0, StatusCode::OK);

        idp.signed_up("bob").await;
        let login = crate::fixture::location(&browser.authorize("other", &[("prompt", "login")]).await);
        browser.log_in(&login, "bob", crate::fixture::PASSWORD).await;
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"), "another person's ends");
    }

    async fn an_idle_session_gives_nothing_more(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        idp.clock.advance(TimeDelta::days(8));
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"));
    }

    async fn work_in_a_client_keeps_the_session_alive(db) {
        let idp = TestIdp::new(db).await;
        let mut tokens = idp.tokens("alice", "web").await;
        for _ in 0..4 {
            idp.clock.advance(TimeDelta::days(6));
            let (status, next) = idp.refresh("web", &tokens["refresh_token"]).await;
            assert_eq!(status, StatusCode::OK);
            tokens = next;
        }
        idp.clock.advance(TimeDelta::days(6) + TimeDelta::seconds(1));
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"), "30 days in all");
    }

    async fn a_new_password_ends_everything(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let (_, offline) = offline_tokens(&idp, &browser).await;
        let passwords = idp::config::Passwords { memory: 8, iterations: 1, ..Default::default() };
        let new = "another horse, another staple".into();
        admin::users::set_password(&idp.operator, &passwords, "Alice@Example.com", &new, idp.clock.now()).await.unwrap();
        assert_eq!(idp.refresh("web", &offline["refresh_token"]).await, refused("invalid_grant"));
        assert_eq!(redirected(&browser.authorize("web", &[("prompt", "none")]).await).1["error"], "login_required");
    }
}

async fn offline_tokens(idp: &TestIdp, browser: &Browser<'_>) -> (StatusCode, serde_json::Value) {
    let code = browser.code("web", &[("scope", "openid offline_access")]).await;
    idp.redeem("web", &code, &[]).await
}
