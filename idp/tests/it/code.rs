//! Redeeming codes, RFC 6749 §4.1.3.

use std::time::Duration;

use chrono::TimeDelta;
use idp::config::Resource;
use platform::on_each_database;
use reqwest::StatusCode;

use crate::fixture::{API, TestIdp, VERIFIER, claims, jwt_header, redirect_uri, refused};

on_each_database! {
    /// RFC 9068 §2 and OpenID Connect Core §2: what the tokens say.
    async fn a_code_yields_tokens_that_say_what_they_are(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 900);

        let access = claims(&tokens["access_token"]);
        assert_eq!(jwt_header(&tokens["access_token"])["typ"], "at+jwt");
        assert_eq!(jwt_header(&tokens["access_token"])["alg"], "RS256");
        assert_eq!(access["iss"], idp.url.as_str());
        assert_eq!(access["aud"], API);
        assert_eq!(access["client_id"], "web");
        assert_eq!(access["scope"], "email openid profile tasks:read tasks:write");
        assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 900);
        assert!(access["jti"].is_string() && access["sid"].is_string());

        let id = claims(&tokens["id_token"]);
        assert!(jwt_header(&tokens["id_token"])["kid"].is_string());
        assert_eq!(id["iss"], idp.url.as_str());
        assert_eq!(id["aud"], serde_json::json!(["web"]));
        assert_eq!(id["nonce"], "a-nonce");
        assert_eq!((&id["sub"], &id["sid"]), (&access["sub"], &access["sid"]));
        assert!(id["auth_time"].is_i64() && id["at_hash"].is_string());
        assert!(id.get("email").is_none() && id.get("name").is_none(), "those belong to userinfo");
    }

    /// Core §2 and §3.1.2.1.
    async fn a_nonce_comes_back_whole_and_only_if_it_was_sent(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let long = format!("{}-._~ \"\\\u{e9}", "nonce".repeat(200));
        for nonce in [long.as_str(), ""] {
            let (_, tokens) = idp.redeem("web", &browser.code("web", &[("nonce", nonce)]).await, &[]).await;
            let id_token = claims(&tokens["id_token"]);
            assert_eq!(id_token.get("nonce").and_then(|nonce| nonce.as_str()).unwrap_or_default(), nonce);
            let lifetime = id_token["exp"].as_i64().unwrap() - id_token["iat"].as_i64().unwrap();
            assert_eq!((lifetime, id_token["iat"].as_i64()), (3600, Some(idp.clock.now().timestamp())));
            let (_, refreshed) = idp.refresh("web", &tokens["refresh_token"]).await;
            assert!(claims(&refreshed["id_token"]).get("nonce").is_none(), "Core §12.2: it was for one answer");
        }
    }

    /// RFC 6749 §5.1.
    async fn the_answer_says_which_scopes_were_given(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let code = browser.code("web", &[("scope", "unknown tasks:write openid phone")]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        assert_eq!(tokens["scope"], "openid tasks:write");
    }

    /// RFC 6749 §1.5: `offline_access` alone is not enough.
    async fn a_client_that_is_not_registered_for_refresh_tokens_gets_none(db) {
        let idp = TestIdp::with(db, |config| {
            config.clients[0].grant_types = Some(vec!["authorization_code".to_owned()]);
        }).await;
        let browser = idp.signed_up("alice").await;
        let code = browser.code("web", &[("scope", "openid offline_access")]).await;
        let (status, tokens) = idp.redeem("web", &code, &[]).await;
        assert_eq!((status, tokens.get("refresh_token")), (StatusCode::OK, None));
        assert_eq!(idp.refresh("web", &"lkr_x".into()).await, refused("unauthorized_client"));
    }

    /// It is recognised as long as what it yielded can be used.
    async fn a_code_that_comes_back_days_later_revokes_its_tokens_too(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        idp.clock.advance(TimeDelta::days(3));
        idp::store::sweep(&idp.db, idp.clock.now()).await.unwrap();
        let (_, refreshed) = idp.refresh("web", &tokens["refresh_token"]).await;
        assert!(idp.is_active("web", &refreshed["access_token"]).await);
        assert_eq!(idp.redeem("web", &code, &[]).await, refused("invalid_grant"));
        assert!(!idp.is_active("web", &refreshed["access_token"]).await);
        assert_eq!(idp.refresh("web", &refreshed["refresh_token"]).await, refused("invalid_grant"));
    }

    /// RFC 6749 §4.1.2: a code used twice is refused, and what it yielded is revoked.
    async fn a_replayed_code_revokes_its_tokens(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        let (_, first) = idp.redeem("web", &code, &[]).await;
        assert!(idp.is_active("web", &first["access_token"]).await);
        assert_eq!(idp.redeem("web", &code, &[]).await, refused("invalid_grant"));
        assert!(!idp.is_active("web", &first["access_token"]).await);
        assert_eq!(idp.userinfo(&first["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(idp.refresh("web", &first["refresh_token"]).await, refused("invalid_grant"));
    }

    async fn another_client_that_replays_a_code_ends_nothing(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        let (_, first) = idp.redeem("web", &code, &[]).await;
        let foreign = [("redirect_uri", redirect_uri("web"))];
        let foreign = foreign.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(idp.redeem("other", &code, &foreign).await, refused("invalid_grant"));
        assert!(idp.is_active("web", &first["access_token"]).await);
    }

    async fn of_50_parallel_redemptions_of_one_code_exactly_one_wins(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        let redirect_uri = redirect_uri("web");
        let form = [
            ("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        let racers: Vec<_> = (0..50).map(|_| tokio::spawn(idp.token_request("web", &form).send())).collect();
        let mut wins = 0;
        for racer in racers {
            let answer = racer.await.unwrap().unwrap();
            match answer.status() {
                StatusCode::OK => wins += 1,
                status => assert_eq!(status, StatusCode::BAD_REQUEST),
            }
        }
        assert_eq!(wins, 1);
    }

    /// Every way to get a redemption wrong, each differing from a good one in one field.
    async fn a_wrong_redemption_gets_its_error_and_does_not_burn_the_code(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        let other_redirect = redirect_uri("other");
        let slash = format!("{}/", redirect_uri("web"));
        let upper = redirect_uri("web").to_uppercase();
        let long = "a".repeat(129);
        let wrong: &[(&[(&str, &str)], &str)] = &[
            (&[("grant_type", "")], "invalid_request"),
            (&[("grant_type", "password")], "unsupported_grant_type"),
            (&[("grant_type", "authorization_code "), ], "unsupported_grant_type"),
            (&[("grant_type", "client_credentials")], "unauthorized_client"),
            (&[("code", "")], "invalid_request"),
            (&[("code", "lkc_unknown")], "invalid_grant"),
            (&[("code", "\u{0}")], "invalid_request"),
            (&[("redirect_uri", "")], "invalid_request"),
            (&[("redirect_uri", &other_redirect)], "invalid_grant"),
            (&[("redirect_uri", &slash)], "invalid_grant"),
            (&[("redirect_uri", &upper)], "invalid_grant"),
            (&[("redirect_uri", "not a uri")], "invalid_request"),
            (&[("code_verifier", "")], "invalid_grant"),
            (&[("code_verifier", "too-short")], "invalid_grant"),
            (&[("code_verifier", &long)], "invalid_grant"),
            (&[("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK")], "invalid_grant"),
            (&[("code_verifier", "dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk")], "invalid_grant"),
            (&[("resource", "https://elsewhere.example")], "invalid_target"),
            (&[("resource", "https://files.example")], "invalid_target"),
        ];
        for (change, error) in wrong {
            assert_eq!(idp.redeem("web", &code, change).await, refused(error), "{change:?}");
        }
        assert_eq!(idp.redeem("web", &code, &[]).await.0, StatusCode::OK);
    }

    async fn a_code_of_another_client_is_refused(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        let redirect_uri = redirect_uri("web");
        for client in ["other", "shop", "spa", "poster"] {
            let answer = idp.redeem(client, &code, &[("redirect_uri", &redirect_uri)]).await;
            assert_eq!(answer, refused("invalid_grant"), "{client}");
        }
        assert_eq!(idp.redeem("web", &code, &[]).await.0, StatusCode::OK);
    }

    async fn a_code_expires(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        idp.clock.advance(TimeDelta::seconds(61));
        assert_eq!(idp.redeem("web", &code, &[]).await, refused("invalid_grant"));
    }

    /// RFC 9700 §4.8.2: a verifier that nothing was promised for is refused.
    async fn a_verifier_without_a_challenge_is_refused(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let code = browser.code("web", &without).await;
        assert_eq!(idp.redeem("web", &code, &[]).await, refused("invalid_grant"));
        assert_eq!(idp.redeem("web", &code, &[("code_verifier", "")]).await.0, StatusCode::OK);
    }

    async fn a_public_client_redeems_with_its_verifier_alone(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "spa").await;
        assert_eq!(idp.redeem("spa", &code, &[]).await.0, StatusCode::OK);
    }

    /// What outlives a session was got while it went on: nobody logs in by one that has ended.
    async fn a_code_is_worth_nothing_after_its_session_was_ended(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let code = browser.code("web", &[("scope", "openid offline_access")]).await;
        browser.post("/logout/confirm", &[]).await;
        assert_eq!(idp.redeem("web", &code, &[]).await, refused("invalid_grant"));
    }

    /// RFC 8707 §3: a token for one API is worth nothing more at another, even if that takes it.
    async fn a_token_has_no_scopes_that_belong_to_other_apis(db) {
        let idp = TestIdp::with(db, |config| {
            let mail = Resource { identifier: "https://mail.example".to_owned(), scopes: vec!["mail:read".to_owned(), "tasks:read".to_owned()], access_token_lifetime: None };
            config.resources.push(mail);
            config.clients[0].scope = Some("openid profile offline_access tasks:read tasks:write mail:read fax:send".to_owned());
        }).await;
        let browser = idp.signed_up("alice").await;
        let scope = ("scope", "openid offline_access tasks:read tasks:write mail:read fax:send");
        let code = browser.code("web", &[scope, ("resource", API), ("resource", "https://mail.example")]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        assert_eq!(tokens["scope"], "fax:send mail:read offline_access openid tasks:read tasks:write", "for both");
        let refresh = tokens["refresh_token"].as_str().unwrap();
        for (resource, expected) in [
            (API, "fax:send offline_access openid tasks:read tasks:write"),
            ("https://mail.example", "fax:send mail:read offline_access openid tasks:read"),
        ] {
            let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("resource", resource)];
            let (_, narrowed) = idp.token("web", &form).await;
            assert_eq!((&narrowed["scope"], &claims(&narrowed["access_token"])["scope"]), (&expected.into(), &expected.into()), "{resource}");
        }
    }

    /// RFC 8707 §2: one audience by `resource`, several as an array, and one of them at the token endpoint.
    async fn resource_says_for_whom_tokens_are(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let code = browser.code("web", &[("resource", API), ("resource", "https://files.example")]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        assert_eq!(claims(&tokens["access_token"])["aud"], serde_json::json!([API, "https://files.example"]));
        assert_eq!(tokens["expires_in"], 120, "as long as the strictest API allows");

        let refresh = tokens["refresh_token"].as_str().unwrap();
        let narrow = [
            ("grant_type", "refresh_token"), ("refresh_token", refresh), ("resource", "https://files.example"),
        ];
        let (status, tokens) = idp.token("web", &narrow).await;
        assert_eq!((status, &claims(&tokens["access_token"])["aud"]), (StatusCode::OK, &"https://files.example".into()));
    }

    async fn answers_with_tokens_are_not_stored(db) {
        let idp = TestIdp::new(db).await;
        let code = idp.code("alice", "web").await;
        let redirect_uri = redirect_uri("web");
        let form = [
            ("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", &redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        let answer = idp.token_request("web", &form).timeout(Duration::from_secs(10)).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let error = idp.token_request("web", &form).send().await.unwrap();
        assert_eq!(error.headers()["cache-control"], "no-store");
    }
}
