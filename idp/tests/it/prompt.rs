//! `prompt`, `max_age`, `id_token_hint`, and consent (OpenID Connect Core §3.1.2).

use chrono::TimeDelta;
use platform::on_each_database;
use reqwest::StatusCode;

use crate::fixture::{Browser, PASSWORD, TestIdp, claims, location, redirected};

async fn error(browser: &Browser<'_>, client: &str, change: &[(&str, &str)]) -> String {
    redirected(&browser.authorize(client, change).await).1["error"].clone()
}

/// Answers the consent page behind a redirect; the parameters that the client gets.
async fn decide(
    browser: &Browser<'_>,
    asked: reqwest::Response,
    decision: &str,
) -> std::collections::BTreeMap<String, String> {
    let place = location(&asked);
    assert!(place.starts_with("/consent?request="), "{place}");
    assert_eq!(browser.get(&place).await.status(), StatusCode::OK);
    let (_, handle) = place.split_once('=').unwrap();
    redirected(&browser.post("/consent", &[("request", handle), ("decision", decision)]).await).1
}

on_each_database! {
    async fn none_without_a_session_is_login_required(db) {
        let idp = TestIdp::new(db).await;
        assert_eq!(error(&idp.browser(), "web", &[("prompt", "none")]).await, "login_required");
    }

    async fn none_with_a_session_is_silent_and_about_the_same_log_in(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let first = browser.code("web", &[]).await;
        let (_, first) = idp.redeem("web", &first, &[]).await;
        idp.clock.advance(TimeDelta::minutes(5));
        let silent = browser.code("web", &[("prompt", "none")]).await;
        let (_, silent) = idp.redeem("web", &silent, &[]).await;
        let (first, silent) = (claims(&first["id_token"]), claims(&silent["id_token"]));
        assert_eq!((&first["sub"], &first["auth_time"]), (&silent["sub"], &silent["auth_time"]));
    }

    async fn none_with_remembered_consent_is_silent_and_about_the_same_log_in(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let scope = ("scope", "openid email");
        let allowed = decide(&browser, browser.authorize("shop", &[scope]).await, "allow").await;
        let (_, first) = idp.redeem("shop", &allowed["code"], &[]).await;
        idp.clock.advance(TimeDelta::minutes(5));
        let (_, silent) = idp.redeem("shop", &browser.code("shop", &[scope, ("prompt", "none")]).await, &[]).await;
        let (first, silent) = (claims(&first["id_token"]), claims(&silent["id_token"]));
        for same in ["sub", "auth_time", "sid", "acr", "amr"] {
            assert_eq!(first[same], silent[same], "{same}");
        }
    }

    /// However little time has passed since the log-in.
    async fn max_age_0_always_asks(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let now = ("max_age", "0");
        assert_eq!(error(&browser, "web", &[now, ("prompt", "none")]).await, "login_required");
        let login = location(&browser.authorize("web", &[now]).await);
        assert!(login.starts_with("/login?request="), "{login}");
        let resume = location(&browser.log_in(&login, "alice", PASSWORD).await);
        let (_, parameters) = redirected(&browser.get(&resume).await);
        let (_, tokens) = idp.redeem("web", &parameters["code"], &[]).await;
        assert_eq!(claims(&tokens["id_token"])["auth_time"], idp.clock.now().timestamp());
    }

    async fn login_asks_again_and_moves_auth_time(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let before = idp.redeem("web", &browser.code("web", &[]).await, &[]).await.1;
        for change in [("prompt", "login"), ("max_age", "0"), ("prompt", "select_account")] {
            idp.clock.advance(TimeDelta::seconds(5));
            let login = location(&browser.authorize("web", &[change]).await);
            assert!(login.starts_with("/login?request="), "{change:?}: {login}");
            let resume = location(&browser.get(&login.replace("/login", "/authorize/resume")).await);
            assert!(resume.starts_with("/login?request="), "the old session must not do: {resume}");
            let resume = location(&browser.log_in(&login, "alice", PASSWORD).await);
            let (_, parameters) = redirected(&browser.get(&resume).await);
            let after = idp.redeem("web", &parameters["code"], &[]).await.1;
            let time = |tokens: &serde_json::Value| claims(&tokens["id_token"])["auth_time"].as_i64().unwrap();
            assert!(time(&after) > time(&before), "{change:?}");
        }
    }

    async fn max_age_asks_when_the_log_in_is_older(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        idp.clock.advance(TimeDelta::seconds(100));
        browser.code("web", &[("max_age", "1000")]).await;
        assert_eq!(error(&browser, "web", &[("max_age", "99"), ("prompt", "none")]).await, "login_required");
        assert!(location(&browser.authorize("web", &[("max_age", "99")]).await).starts_with("/login?"));
    }

    async fn create_leads_to_sign_up_and_on(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.browser();
        let signup = location(&browser.authorize("web", &[("prompt", "create")]).await);
        assert!(signup.starts_with("/signup?request="), "{signup}");
        let resume = location(&browser.sign_up(&signup, "alice").await);
        assert!(redirected(&browser.get(&resume).await).1.contains_key("code"));
    }

    async fn a_hint_about_somebody_else_does_not_let_through(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let bob = idp.tokens("bob", "web").await;
        let own = idp.redeem("web", &browser.code("web", &[]).await, &[]).await.1;
        idp.clock.advance(TimeDelta::hours(2));
        let hint = |tokens: &serde_json::Value| tokens["id_token"].as_str().unwrap().to_owned();
        browser.code("web", &[("id_token_hint", &hint(&own)), ("prompt", "none")]).await;
        let foreign = hint(&bob);
        assert_eq!(error(&browser, "web", &[("id_token_hint", &foreign), ("prompt", "none")]).await, "login_required");
        assert!(location(&browser.authorize("web", &[("id_token_hint", &foreign)]).await).starts_with("/login?"));
    }

    async fn whoever_logs_in_has_to_be_whom_the_hint_names(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        idp.signed_up("bob").await;
        let hint = ("id_token_hint", tokens["id_token"].as_str().unwrap());
        for (name, expected) in [("alice", None), ("bob", Some("login_required"))] {
            let browser = idp.browser();
            let login = location(&browser.authorize("web", &[hint]).await);
            let resume = location(&browser.log_in(&login, name, PASSWORD).await);
            let (_, parameters) = redirected(&browser.get(&resume).await);
            assert_eq!(parameters.get("error").map(String::as_str), expected, "{name}");
        }
    }

    /// Core §5.5.1: the `sub` of `claims` is a demand, whatever a hint says.
    async fn a_hint_and_claims_that_name_different_people_go_nowhere(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let (_, own) = idp.redeem("web", &browser.code("web", &[]).await, &[]).await;
        let bob = claims(&idp.tokens("bob", "web").await["id_token"])["sub"].clone();
        let hint = ("id_token_hint", own["id_token"].as_str().unwrap());
        for (sub, good) in [(claims(&own["id_token"])["sub"].clone(), true), (bob, false)] {
            let wanted = serde_json::json!({"id_token": {"sub": {"value": sub}}}).to_string();
            let (_, parameters) = redirected(&browser.authorize("web", &[hint, ("claims", &wanted)]).await);
            assert_eq!(parameters.get("error").map(String::as_str), (!good).then_some("login_required"));
        }
    }

    async fn what_one_app_was_allowed_no_other_may(db) {
        let idp = TestIdp::with(db, |config| {
            let shop = config.clients[2].clone();
            let redirect_uris = vec![crate::fixture::redirect_uri("stall")];
            config.clients.push(idp::config::ClientConfig { client_id: "stall".to_owned(), redirect_uris, ..shop });
        }).await;
        let browser = idp.signed_up("alice").await;
        decide(&browser, browser.authorize("shop", &[]).await, "allow").await;
        assert_eq!(error(&browser, "stall", &[("prompt", "none")]).await, "consent_required");
        let bob = idp.signed_up("bob").await;
        assert_eq!(error(&bob, "shop", &[("prompt", "none")]).await, "consent_required", "nor for anybody else");
    }

    async fn consent_is_asked_once_for_each_client_and_scope(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let scope = |scope| [("scope", scope)];
        let none = |scope| [("scope", scope), ("prompt", "none")];
        assert_eq!(error(&browser, "shop", &none("openid")).await, "consent_required");
        let answer = decide(&browser, browser.authorize("shop", &scope("openid email")).await, "allow").await;
        let (_, tokens) = idp.redeem("shop", &answer["code"], &[]).await;
        assert_eq!(claims(&tokens["access_token"])["scope"], "email openid");

        browser.code("shop", &scope("openid")).await;
        browser.code("shop", &none("openid email")).await;
        assert_eq!(error(&browser, "shop", &none("openid email profile")).await, "consent_required");
        decide(&browser, browser.authorize("shop", &scope("openid profile")).await, "allow").await;
        browser.code("shop", &none("openid email profile")).await;
    }

    async fn refusing_consent_is_access_denied_and_not_remembered(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let answer = decide(&browser, browser.authorize("shop", &[]).await, "deny").await;
        assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("access_denied", "a-state"));
        assert_eq!(error(&browser, "shop", &[("prompt", "none")]).await, "consent_required");
    }

    async fn prompt_consent_asks_again_even_for_what_is_remembered(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        for client in ["shop", "web"] {
            let asked = browser.authorize(client, &[("prompt", "consent"), ("scope", "openid")]).await;
            assert!(decide(&browser, asked, "allow").await.contains_key("code"), "{client}");
        }
    }

    /// The parameters that count are the server's; one answer is taken.
    async fn consent_cannot_be_given_twice_or_by_another_browser(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let place = location(&browser.authorize("shop", &[("scope", "openid")]).await);
        let (_, handle) = place.split_once('=').unwrap();
        let mallory = idp.signed_up("mallory").await;
        let fields = [("request", handle), ("decision", "allow"), ("scope", "openid email profile")];
        assert_eq!(mallory.post("/consent", &fields).await.status(), StatusCode::BAD_REQUEST);
        let (_, answer) = redirected(&browser.post("/consent", &fields).await);
        let (_, tokens) = idp.redeem("shop", &answer["code"], &[]).await;
        assert_eq!(claims(&tokens["access_token"])["scope"], "openid", "no wider than what was shown");
        assert_eq!(browser.post("/consent", &fields).await.status(), StatusCode::BAD_REQUEST);
    }
}
