//! Logging out (OpenID Connect RP-Initiated Logout 1.0).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::on_each_database;

use crate::world::World;

on_each_database! {
    async fn logging_out_ends_the_session_here_and_at_the_provider(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let session = browser.cookie("session").unwrap();
        let seen = browser.post("/logout", &[]).await;
        assert_eq!(seen.status, 303);
        let to = url::Url::parse(&seen.location).unwrap();
        assert!(seen.location.starts_with(&format!("{}/logout?", world.op.url)));
        let given = |name: &str| to.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        assert!(given("id_token_hint").starts_with("eyJ"));
        assert_eq!(given("client_id"), "latchkey-web");
        assert_eq!(given("post_logout_redirect_uri"), format!("{}/", world.config.public_url));

        assert!(world.sealed_sessions().await.is_empty());
        assert!(browser.cookie("session").is_none());
        browser.get("/").await.is(200).shows("You are logged out.").shows("login-link");
        browser.set_cookie("session", &session);
        browser.get("/tasks").await.leads_to("/login?return_to=%2Ftasks");
    }

    /// The provider may have replaced its keys since the log-in: only what it signed last is sure to be known there.
    async fn the_hint_is_the_id_token_of_the_last_refresh(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let issued_at = world.clock.now() + chrono::TimeDelta::minutes(20);
        world.clock.advance(chrono::TimeDelta::minutes(20));
        browser.get("/tasks").await.is(200);
        assert_eq!(world.op.state.known().refreshes, 1);
        let seen = browser.post("/logout", &[]).await;
        let to = url::Url::parse(&seen.location).unwrap();
        let (_, hint) = to.query_pairs().find(|(key, _)| key == "id_token_hint").unwrap();
        let claims = URL_SAFE_NO_PAD.decode(hint.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iat"], issued_at.timestamp());
    }

    async fn logging_out_works_without_the_provider(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        world.clock.advance(chrono::TimeDelta::hours(1));
        let token = browser.get("/").await.hidden("form_token");
        world.op.server.shutdown.token.cancel();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let seen = browser.post_with("/logout", &[("form_token", &token)], &[]).await;
        assert_eq!(seen.status, 303);
        assert!(world.sealed_sessions().await.is_empty());
    }

    async fn logging_out_twice_is_no_error(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let token = browser.form_token().await;
        for location in [format!("{}/logout", world.op.url), "/".to_owned()] {
            let seen = browser.post_with("/logout", &[("form_token", &token)], &[]).await;
            assert!(seen.status == 303 && seen.location.starts_with(&location), "{seen:?}");
        }
    }
}
