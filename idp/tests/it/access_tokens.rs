//! Where our own access tokens are judged: userinfo, introspection (RFC 7662), revocation (RFC 7009).

use chrono::TimeDelta;
use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{SECRET, TestIdp, answer, refused};

on_each_database! {
    /// OpenID Connect Core §5.4: claims by scope, of the right JSON types, none without a value.
    async fn userinfo_tells_what_the_scopes_allow(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        for (scope, expected) in [
            ("openid", &["sub"][..]),
            ("openid profile", &["name", "sub", "updated_at"]),
            ("openid email", &["email", "email_verified", "sub"]),
        ] {
            let code = browser.code("web", &[("scope", scope)]).await;
            let (_, tokens) = idp.redeem("web", &code, &[]).await;
            let (status, claims) = idp.userinfo(&tokens["access_token"]).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(claims.as_object().unwrap().keys().collect::<Vec<_>>(), expected, "{scope}");
            if scope.contains("email") {
                assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("alice@example.com"), &json!(false)));
            }
            if scope.contains("profile") {
                assert!(claims["updated_at"].is_i64() && claims["name"] == "alice");
            }
        }
    }

    /// RFC 6750 §2.1 and §2.2.
    async fn userinfo_takes_the_token_in_a_header_or_a_form_but_once(db) {
        let idp = TestIdp::new(db).await;
        let token = idp.tokens("alice", "web").await["access_token"].as_str().unwrap().to_owned();
        let (get, post) = (|| idp.http.get(idp.at("/userinfo")), || idp.http.post(idp.at("/userinfo")));
        let form = [("access_token", token.as_str())];
        let cases = [
            (get().bearer_auth(&token), StatusCode::OK),
            (get().header("authorization", format!("bearer {token}")), StatusCode::OK),
            (get().header("authorization", format!("BEARER {token}")), StatusCode::OK),
            (post().bearer_auth(&token), StatusCode::OK),
            (post().form(&form), StatusCode::OK),
            (post().bearer_auth(&token).form(&form), StatusCode::BAD_REQUEST),
            (post().form(&[form[0], form[0]]), StatusCode::BAD_REQUEST),
            (get().bearer_auth(&token).header("authorization", "Bearer x"), StatusCode::BAD_REQUEST),
            (idp.http.get(idp.at(&format!("/userinfo?access_token={token}"))), StatusCode::UNAUTHORIZED),
            (get(), StatusCode::UNAUTHORIZED),
            (get().bearer_auth("nonsense"), StatusCode::UNAUTHORIZED),
            (get().header("authorization", format!("Basic {token}")), StatusCode::UNAUTHORIZED),
        ];
        for (index, (request, expected)) in cases.into_iter().enumerate() {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), expected, "case {index}");
            let challenged = response.headers().contains_key("www-authenticate");
            assert_eq!(challenged, expected != StatusCode::OK, "case {index}");
        }
    }

    /// RFC 6750 §3.1: what is wrong with a token is said, and nothing of one that was not sent.
    async fn the_challenge_says_what_is_wrong_with_the_token(db) {
        let idp = TestIdp::new(db).await;
        let (_, robot) = idp.token("robot", &[("grant_type", "client_credentials")]).await;
        for (token, said) in [
            (None, "Bearer realm=\"latchkey\""),
            (Some("nonsense"), "Bearer realm=\"latchkey\", error=\"invalid_token\""),
            (robot["access_token"].as_str(), "Bearer realm=\"latchkey\", error=\"insufficient_scope\", scope=\"openid\""),
        ] {
            for request in [idp.http.get(idp.at("/userinfo")), idp.http.post(idp.at("/userinfo"))] {
                let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
                assert_eq!(request.send().await.unwrap().headers()["www-authenticate"], said);
            }
        }
    }

    async fn what_is_not_an_access_token_of_a_person_gets_no_userinfo(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        for kind in ["id_token", "refresh_token"] {
            assert_eq!(idp.userinfo(&tokens[kind]).await.0, StatusCode::UNAUTHORIZED, "{kind}");
        }
        let token = tokens["access_token"].as_str().unwrap();
        let truncated = json!(token[..token.len() - 4]);
        assert_eq!(idp.userinfo(&truncated).await.0, StatusCode::UNAUTHORIZED);
        let (_, robot) = idp.token("robot", &[("grant_type", "client_credentials")]).await;
        assert_eq!(idp.userinfo(&robot["access_token"]).await.0, StatusCode::FORBIDDEN);
        idp.clock.advance(TimeDelta::minutes(16));
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
    }

    async fn introspection_tells_the_client_about_its_own_tokens(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        for kind in ["access_token", "refresh_token"] {
            let form = [("token", tokens[kind].as_str().unwrap())];
            let (_, body) = answer(idp.authenticated("/introspect", "web", &form)).await;
            assert_eq!((&body["active"], &body["client_id"]), (&json!(true), &json!("web")), "{kind}");
            assert!(body["exp"].is_i64() && body["sub"].is_string(), "{kind}");
        }
    }

    /// RFC 7662 §2.2: unknown, expired, revoked, foreign: `{"active": false}` and nothing else.
    async fn introspection_says_nothing_about_what_is_not_active(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let inactive = |body: (StatusCode, Value)| assert_eq!(body, (StatusCode::OK, json!({"active": false})));
        let ask = async |client: &str, token: &Value| {
            answer(idp.authenticated("/introspect", client, &[("token", token.as_str().unwrap())])).await
        };
        inactive(ask("web", &json!("unknown")).await);
        inactive(ask("web", &tokens["id_token"]).await);
        inactive(ask("other", &tokens["access_token"]).await);
        inactive(ask("other", &tokens["refresh_token"]).await);
        idp.clock.advance(TimeDelta::minutes(16));
        inactive(ask("web", &tokens["access_token"]).await);
        let (_, fresh) = idp.refresh("web", &tokens["refresh_token"]).await;
        for kind in ["access_token", "refresh_token"] {
            let form = [("token", fresh[kind].as_str().unwrap())];
            assert_eq!(answer(idp.authenticated("/revoke", "web", &form)).await.0, StatusCode::OK);
            inactive(ask("web", &fresh[kind]).await);
        }
        idp.clock.advance(TimeDelta::days(31));
        inactive(ask("web", &tokens["refresh_token"]).await);
        assert_eq!(ask("spa", &tokens["access_token"]).await, refused("invalid_client"));
        let nobody = idp.http.post(idp.at("/introspect")).form(&[("token", "x")]);
        assert_eq!(answer(nobody).await, refused("invalid_client"));
    }

    async fn a_revoked_access_token_is_dead_alone(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let form = [("token", tokens["access_token"].as_str().unwrap()), ("token_type_hint", "refresh_token")];
        assert_eq!(answer(idp.authenticated("/revoke", "web", &form)).await.0, StatusCode::OK);
        assert!(!idp.is_active("web", &tokens["access_token"]).await);
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await.0, StatusCode::OK);
    }

    async fn a_revoked_refresh_token_takes_its_family_along(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let form = [("token", tokens["refresh_token"].as_str().unwrap())];
        assert_eq!(answer(idp.authenticated("/revoke", "web", &form)).await.0, StatusCode::OK);
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"));
        assert!(!idp.is_active("web", &tokens["access_token"]).await);
    }

    async fn only_its_own_client_can_revoke_a_token(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        for kind in ["access_token", "refresh_token"] {
            let form = [("token", tokens[kind].as_str().unwrap())];
            assert_eq!(answer(idp.authenticated("/revoke", "other", &form)).await, refused("invalid_grant"), "{kind}");
        }
        let unknown = idp.authenticated("/revoke", "other", &[("token", "unknown")]);
        assert_eq!(answer(unknown).await.0, StatusCode::OK, "RFC 7009 §2.2");
        let missing = idp.authenticated("/revoke", "other", &[]);
        assert_eq!(answer(missing).await, refused("invalid_request"));
        let nobody = idp.http.post(idp.at("/revoke")).basic_auth("other", Some("wrong")).form(&[("token", SECRET)]);
        assert_eq!(answer(nobody).await, refused("invalid_client"));
        assert!(idp.is_active("web", &tokens["access_token"]).await);
    }
}
