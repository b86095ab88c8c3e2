//! Refresh tokens: rotation that can be repeated, families that end (DESIGN: idempotent rotation; RFC 9700 §4.14).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::Value;

use crate::fixture::{TestIdp, claims, refused};

on_each_database! {
    async fn a_retry_inside_the_window_gets_the_same_successor(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let (_, first) = idp.refresh("web", &tokens["refresh_token"]).await;
        idp.clock.advance(TimeDelta::seconds(20));
        let (status, again) = idp.refresh("web", &tokens["refresh_token"]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(first["refresh_token"], again["refresh_token"]);
        assert_ne!(first["refresh_token"], tokens["refresh_token"]);
        assert_eq!(idp.refresh("web", &first["refresh_token"]).await.0, StatusCode::OK);
    }

    async fn reuse_after_the_window_ends_the_family(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let (_, next) = idp.refresh("web", &tokens["refresh_token"]).await;
        idp.clock.advance(TimeDelta::seconds(31));
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"));
        assert_eq!(idp.refresh("web", &next["refresh_token"]).await, refused("invalid_grant"));
        assert!(!idp.is_active("web", &next["access_token"]).await);
    }

    async fn fifty_parallel_refreshes_leave_one_family(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        let racers: Vec<_> = (0..50).map(|_| tokio::spawn(idp.token_request("web", &form).send())).collect();
        let mut successors = BTreeSet::new();
        for racer in racers {
            let answer = racer.await.unwrap().unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let body: Value = answer.json().await.unwrap();
            successors.insert(body["refresh_token"].as_str().unwrap().to_owned());
        }
        assert_eq!(successors.len(), 1);
    }

    async fn another_clients_refresh_token_is_refused_and_unharmed(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        for client in ["other", "spa", "poster"] {
            assert_eq!(idp.refresh(client, &tokens["refresh_token"]).await, refused("invalid_grant"), "{client}");
        }
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await.0, StatusCode::OK);
    }

    async fn a_value_of_another_kind_is_no_refresh_token(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        assert_eq!(idp.refresh("web", &code.as_str().into()).await, refused("invalid_grant"));
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        for kind in ["access_token", "id_token"] {
            assert_eq!(idp.refresh("web", &tokens[kind]).await, refused("invalid_grant"), "{kind}");
        }
        let refresh = tokens["refresh_token"].as_str().unwrap();
        assert_eq!(idp.redeem("web", refresh, &[]).await, refused("invalid_grant"));
    }

    /// RFC 6749 §6: a refresh may narrow the scope, never widen it; the family keeps what was granted.
    async fn scope_narrows_for_one_access_token_only(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let code = browser.code("web", &[("scope", "openid tasks:read tasks:write")]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let with_scope = |scope| [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", scope)];

        assert_eq!(idp.token("web", &with_scope("openid email")).await, refused("invalid_scope"));
        let (_, narrow) = idp.token("web", &with_scope("tasks:read")).await;
        assert_eq!(claims(&narrow["access_token"])["scope"], "tasks:read");
        assert!(narrow.get("id_token").is_none());
        let (_, whole) = idp.refresh("web", &narrow["refresh_token"]).await;
        assert_eq!(claims(&whole["access_token"])["scope"], "openid tasks:read tasks:write");
    }

    /// OpenID Connect Core §12.2: same iss, sub, aud, auth_time; new iat; no nonce needed.
    async fn the_id_token_of_a_refresh_is_about_the_same_log_in(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        idp.clock.advance(TimeDelta::minutes(10));
        let (_, refreshed) = idp.refresh("web", &tokens["refresh_token"]).await;
        let (before, after) = (claims(&tokens["id_token"]), claims(&refreshed["id_token"]));
        for same in ["iss", "sub", "aud", "auth_time", "sid"] {
            assert_eq!(before[same], after[same], "{same}");
        }
        assert_eq!(after["iat"].as_i64().unwrap() - before["iat"].as_i64().unwrap(), 600);
    }

    async fn refresh_tokens_expire_when_idle_and_in_all(db) {
        let day = TimeDelta::days(1);
        let idp = TestIdp::with(db, |config| {
            config.sessions.idle = 400 * 86400;
            config.sessions.lifetime = 400 * 86400;
        }).await;
        let mut token = idp.tokens("alice", "web").await["refresh_token"].clone();
        for _ in 0..4 {
            idp.clock.advance(day * 21);
            let (status, tokens) = idp.refresh("web", &token).await;
            assert_eq!(status, StatusCode::OK);
            token = tokens["refresh_token"].clone();
        }
        idp.clock.advance(day * 7);
        assert_eq!(idp.refresh("web", &token).await, refused("invalid_grant"), "after 91 days in all");

        let idle = idp.tokens("bob", "web").await;
        idp.clock.advance(day * 31);
        assert_eq!(idp.refresh("web", &idle["refresh_token"]).await, refused("invalid_grant"), "after 31 days idle");
    }

    /// Refresh tokens are for first-party clients, or for `offline_access`.
    async fn a_client_that_asks_for_consent_gets_one_only_with_offline_access(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let code = consented(&browser, "openid").await;
        let (_, tokens) = idp.redeem("shop", &code, &[]).await;
        assert!(tokens.get("refresh_token").is_none());
        let code = consented(&browser, "openid offline_access").await;
        let (_, tokens) = idp.redeem("shop", &code, &[]).await;
        assert!(tokens["refresh_token"].is_string());
    }
}

async fn consented(browser: &crate::fixture::Browser<'_>, scope: &str) -> String {
    let answer = browser.authorize("shop", &[("scope", scope)]).await;
    let (_, query) = crate::fixture::redirected(&answer);
    let answer = browser.post("/consent", &[("request", &query["request"]), ("decision", "allow")]).await;
    crate::fixture::redirected(&answer).1["code"].clone()
}
