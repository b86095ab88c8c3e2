use chrono::TimeDelta;
use idp::{
    admin::{clients, keys, users},
    config::{ClientConfig, Passwords},
    keys::{KeyRing, Rotation},
};
use platform::{on_each_database, secret::ExposeSecret};
use reqwest::StatusCode;

use super::exported;
use crate::fixture::{PASSWORD, SECRET, TestIdp, refused};

/// The names of what happened since, in order.
async fn since(idp: &TestIdp, seen: &mut usize) -> Vec<String> {
    let events = exported(idp).await;
    let new = events[*seen..].iter().map(|event| event.event.clone()).collect();
    *seen = events.len();
    new
}

on_each_database! {
    async fn what_matters_is_written_down_with_what_it_is_about(db) {
        let idp = TestIdp::new(db).await;
        let mut seen = 0;
        assert_eq!(since(&idp, &mut seen).await, ["client_added"; 6]);
        let alice = idp.signed_up("alice").await;
        assert_eq!(since(&idp, &mut seen).await, ["signed_up", "logged_in"]);
        idp.browser().log_in("/login", "alice", "something else").await;
        idp.browser().log_in("/login", "nobody", PASSWORD).await;
        assert_eq!(since(&idp, &mut seen).await, ["log_in_failed", "log_in_failed"]);

        let code = alice.code("web", &[]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        assert_eq!(since(&idp, &mut seen).await, ["app_connected"]);
        assert_eq!(idp.redeem("web", &code, &[]).await, refused("invalid_grant"));
        assert_eq!(idp.redeem("web", &code, &[]).await, refused("invalid_grant"));
        assert_eq!(since(&idp, &mut seen).await, ["replayed"], "once for each grant that ends");
        let (_, tokens) = idp.redeem("web", &alice.code("web", &[]).await, &[("ignored", tokens["scope"].as_str().unwrap())]).await;
        idp.refresh("web", &tokens["refresh_token"]).await;
        idp.clock.advance(TimeDelta::seconds(31));
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"));
        assert_eq!(since(&idp, &mut seen).await, ["app_connected", "replayed"]);

        let page = alice.authorize("shop", &[]).await;
        let page = alice.get(crate::fixture::location(&page).as_str()).await;
        alice.submit(page, &[("decision", "allow")]).await;
        assert_eq!(since(&idp, &mut seen).await, ["consent_given", "app_connected"]);
        alice.code("shop", &[]).await;
        assert!(since(&idp, &mut seen).await.is_empty(), "the same in the same session is no news");
        alice.post("/logout/confirm", &[]).await;
        assert_eq!(since(&idp, &mut seen).await, ["logged_out"]);

        let all = exported(&idp).await;
        let text = |index: usize| serde_json::to_value(&all[all.len() - index]).unwrap();
        let (out, connected) = (text(1), text(2));
        assert_eq!(out["session_id"], connected["session_id"]);
        assert_eq!((connected["client_id"].as_str(), connected["address"].as_str()), (Some("shop"), Some("127.0.0.1")));
        assert!(out["user_id"].is_string() && out["request_id"].is_string() && out["outcome"] == "success");
        assert_eq!(connected["details"]["scope"], "email openid profile tasks:read tasks:write");
    }

    async fn what_operators_do_is_written_down_as_theirs(db) {
        let idp = TestIdp::new(db).await;
        let (now, operator) = (idp.clock.now(), &idp.operator);
        let passwords = Passwords { memory: 8, iterations: 1, ..Passwords::default() };
        let mut seen = exported(&idp).await.len();
        users::add(operator, &passwords, "eve@example.com", "Eve", &PASSWORD.into(), now).await.unwrap();
        assert!(users::add(operator, &passwords, "eve@example.com", "Eve", &PASSWORD.into(), now).await.is_err());
        users::disable(operator, "eve@example.com", now).await.unwrap();
        users::enable(operator, "eve@example.com", now).await.unwrap();
        users::set_password(operator, &passwords, "eve@example.com", &"another horse, another staple".into(), now).await.unwrap();
        assert!(users::disconnect(operator, "eve@example.com", "shop", now).await.is_err());
        let config = ClientConfig {
            client_id: "late".to_owned(),
            redirect_uris: vec!["https://late.example/cb".to_owned()],
            ..ClientConfig::default()
        };
        let secret = clients::add(operator, config, true, now).await.unwrap().unwrap();
        clients::disable(operator, "late", now).await.unwrap();
        clients::enable(operator, "late", now).await.unwrap();
        clients::remove(operator, "late", now).await.unwrap();
        let token = clients::allow_registration(operator, 2, now + TimeDelta::hours(1), now).await.unwrap();
        let ring = KeyRing::open(idp.keys.path(), now).unwrap();
        keys::rotate(operator, &ring, Rotation::Planned, &idp::Config::default(), now).await.unwrap();
        let first = seen;
        assert_eq!(since(&idp, &mut seen).await, [
            "user_added", "user_disabled", "user_enabled", "password_reset", "client_added", "client_disabled",
            "client_enabled", "client_removed", "registration_token_made", "keys_rotated",
        ]);
        let events = serde_json::to_string(&exported(&idp).await[first..]).unwrap();
        assert_eq!(events.matches("\"actor\":\"operator\"").count(), 10);
        assert!(!events.contains(secret.expose_secret()) && !events.contains(token.expose_secret()));

        // What the configuration says anew is the operator's, too; what it says again is nothing new.
        let mut declared = crate::fixture::clients();
        clients::declare(operator, &declared, now).await.unwrap();
        assert!(since(&idp, &mut seen).await.is_empty());
        declared[0].name = "Another name".to_owned();
        declared.pop();
        clients::declare(operator, &declared, now).await.unwrap();
        assert_eq!(since(&idp, &mut seen).await, ["client_disabled", "client_changed"]);
        clients::declare(operator, &crate::fixture::clients(), now).await.unwrap();
        assert_eq!(since(&idp, &mut seen).await, ["client_changed", "client_enabled"]);
    }

    async fn nothing_secret_is_written_down(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let secret_typed = "typed-into-the-wrong-field";
        idp.browser().log_in("/login", "alice", secret_typed).await;
        idp.browser().log_in("/login", secret_typed, PASSWORD).await;
        let code = alice.code("web", &[("state", "a-secret-state"), ("nonce", "a-secret-nonce")]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        let (_, more) = idp.refresh("web", &tokens["refresh_token"]).await;
        idp.redeem("web", &code, &[]).await;
        idp.redeem("web", "lkc_not-a-code-at-all-but-somebodys-secret-0123456789", &[]).await;
        idp.userinfo(&more["access_token"]).await;
        alice.authorize("shop", &[("redirect_uri", &format!("https://evil.example/?t={}", more["refresh_token"].as_str().unwrap()))]).await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;

        let mut stored = serde_json::to_string(&exported(&idp).await).unwrap();
        let mut conn = idp.db.read().await.unwrap();
        let refusals: Vec<(String, String)> = platform::on_conn!(&mut conn, |conn| {
            sqlx::query_as("SELECT rule, inputs FROM refusals").fetch_all(conn).await
        }).unwrap();
        assert!(refusals.len() >= 4, "{refusals:?}");
        stored.push_str(&format!("{refusals:?}"));
        let mut secrets = vec![PASSWORD, SECRET, secret_typed, "a-secret", "lkc_not", &code, "alice@example.com"];
        for tokens in [&tokens, &more] {
            secrets.extend(["access_token", "refresh_token", "id_token"].map(|name| tokens[name].as_str().unwrap()));
        }
        let cookies: Vec<String> = ["session", "device", "browser"]
            .iter()
            .filter_map(|purpose| alice.cookies.get(&format!("latchkey_idp_{purpose}")))
            .collect();
        assert_eq!(cookies.len(), 3);
        secrets.extend(cookies.iter().map(String::as_str));
        for secret in secrets {
            assert!(!stored.contains(secret), "{secret} in {stored}");
        }
        assert_eq!(alice.get("/account").await.status(), StatusCode::OK);
    }
}
