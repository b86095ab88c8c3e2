//! Authorization requests, RFC 6749 §4.1.1 and OpenID Connect Core §3.1.2.

use platform::on_each_database;
use reqwest::StatusCode;

use crate::fixture::{TestIdp, redirect_uri, redirected};

on_each_database! {
    /// RFC 6749 §4.1.2 and RFC 9207: code, state as it was sent, issuer.
    async fn a_code_comes_back_with_state_and_issuer(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let state = format!("{}-._~!*'();:@&=+$,/?#[] %\"<>\u{e9}", "x".repeat(200));
        let answer = browser.authorize("web", &[("state", &state)]).await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let (place, parameters) = redirected(&answer);
        assert_eq!(place, redirect_uri("web"));
        assert_eq!(parameters["state"], state);
        assert_eq!(parameters["iss"], idp.url);
        assert!(parameters["code"].starts_with("lkc_"));
    }

    /// Errors that the client is told of: each differs from a good request in one parameter.
    async fn a_wrong_request_sends_its_error_back(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let wrong: &[(&[(&str, &str)], &str)] = &[
            (&[("response_type", "")], "invalid_request"),
            (&[("response_type", "token")], "unsupported_response_type"),
            (&[("response_type", "code id_token")], "unsupported_response_type"),
            (&[("scope", "unknown")], "invalid_scope"),
            (&[("scope", "open\"id")], "invalid_scope"),
            (&[("response_mode", "fragment")], "invalid_request"),
            (&[("prompt", "none login")], "invalid_request"),
            (&[("prompt", "hello")], "invalid_request"),
            (&[("max_age", "-1")], "invalid_request"),
            (&[("max_age", "+1")], "invalid_request"),
            (&[("max_age", "soon")], "invalid_request"),
            (&[("code_challenge_method", "plain")], "invalid_request"),
            (&[("code_challenge_method", "")], "invalid_request"),
            (&[("code_challenge", "")], "invalid_request"),
            (&[("code_challenge", "short")], "invalid_request"),
            (&[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")], "invalid_request"),
            (&[("request", "e30.e30.")], "invalid_request_object"),
            (&[("request_uri", "https://web.example/request")], "request_uri_not_supported"),
            (&[("id_token_hint", "nonsense")], "invalid_request"),
            (&[("resource", "https://elsewhere.example")], "invalid_target"),
            (&[("nonce", "1"), ("nonce", "2")], "invalid_request"),
            (&[("scope", "openid"), ("scope", "openid")], "invalid_request"),
        ];
        for (change, error) in wrong {
            let answer = browser.authorize("web", change).await;
            let (place, parameters) = redirected(&answer);
            assert_eq!(place, redirect_uri("web"), "{change:?}");
            assert_eq!(parameters["error"], *error, "{change:?}");
            assert_eq!((parameters["state"].as_str(), &parameters["iss"]), ("a-state", &idp.url), "{change:?}");
            assert!(!parameters.contains_key("code"), "{change:?}");
        }
    }

    async fn a_public_client_must_use_pkce(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        let (_, parameters) = redirected(&browser.authorize("spa", &without).await);
        assert_eq!(parameters["error"], "invalid_request");
    }

    /// Core §3.1.2.1: what is not understood is ignored, scopes too.
    async fn unknown_parameters_and_scopes_are_ignored(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let harmless: &[&[(&str, &str)]] = &[
            &[("foo", "bar")], &[("ui_locales", "de fr")], &[("claims_locales", "de")], &[("display", "touch")],
            &[("acr_values", "urn:mace:incommon:iap:silver")], &[("scope", "openid unknown")],
            &[("claims", "{\"userinfo\":{\"name\":null}}")], &[("login_hint", "someone@example.com")],
            &[("state", "")], &[("nonce", "")],
        ];
        for change in harmless {
            let (_, parameters) = redirected(&browser.authorize("web", change).await);
            assert!(parameters.contains_key("code"), "{change:?}: {parameters:?}");
        }
    }

    async fn the_same_works_by_post(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let redirect_uri = redirect_uri("web");
        let form = [
            ("response_type", "code"), ("client_id", "web"), ("redirect_uri", &redirect_uri), ("scope", "openid"),
        ];
        // From another site: it changes nothing by itself.
        let post = idp.http.post(idp.at("/authorize")).form(&form).header("origin", "https://web.example");
        let (_, parameters) = redirected(&browser.send(post).await);
        assert!(parameters.contains_key("code"));
        let post = idp.http.post(idp.at("/authorize")).body("{}").header("content-type", "application/json");
        assert_eq!(browser.send(post).await.status(), StatusCode::BAD_REQUEST);
    }

    /// OAuth 2.0 Form Post Response Mode: answers and errors, with a button, allowed by the page's policy.
    async fn form_post_answers_by_a_form(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let errors: &[(&str, &str)] = &[("response_mode", "form_post"), ("prompt", "none login"), ("state", "\"><x")];
        for (change, expected) in [(&[("response_mode", "form_post")][..], "name=\"code\""), (errors, "invalid_request")] {
            let answer = browser.authorize("web", change).await;
            assert_eq!(answer.status(), StatusCode::OK);
            let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
            assert!(policy.contains("form-action 'self' https://web.example;"), "{policy}");
            let html = answer.text().await.unwrap();
            assert!(html.contains(expected) && html.contains("action=\"https://web.example/cb\""), "{html}");
            assert!(html.contains("<button") && !html.contains("\"><x"), "{html}");
        }
    }

    async fn a_query_that_was_registered_is_kept(db) {
        let idp = TestIdp::with(db, |config| config.clients[0].redirect_uris.push("https://web.example/cb?tenant=1".to_owned())).await;
        let browser = idp.signed_up("alice").await;
        let answer = browser.authorize("web", &[("redirect_uri", "https://web.example/cb?tenant=1")]).await;
        assert!(crate::fixture::location(&answer).starts_with("https://web.example/cb?tenant=1&code=lkc_"));
    }

    /// Without a session: log-in first, then on to where the person was going, with what was asked for.
    async fn log_in_leads_on_to_the_client(db) {
        let idp = TestIdp::new(db).await;
        idp.signed_up("alice").await;
        let browser = idp.browser();
        let login = crate::fixture::location(&browser.authorize("web", &[]).await);
        assert!(login.starts_with("/login?request=lkq_"), "{login}");
        let resume = crate::fixture::location(&browser.log_in(&login, "alice", crate::fixture::PASSWORD).await);
        let (place, parameters) = redirected(&browser.get(&resume).await);
        assert_eq!((place, parameters["state"].as_str()), (redirect_uri("web"), "a-state"));
        let (status, _) = idp.redeem("web", &parameters["code"], &[]).await;
        assert_eq!(status, StatusCode::OK);

        let again = browser.get(&resume).await;
        assert_eq!(again.status(), StatusCode::BAD_REQUEST, "a request is answered once");
    }

    async fn a_request_that_waits_is_worth_nothing_in_another_browser(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.browser();
        let login = crate::fixture::location(&browser.authorize("web", &[]).await);
        let (_, handle) = login.split_once('=').unwrap();
        let other = idp.signed_up("mallory").await;
        let answer = other.get(&format!("/authorize/resume?request={handle}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let answer = other.post("/authorize/cancel", &[("request", handle)]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }

    async fn cancelling_log_in_is_access_denied(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.browser();
        let login = crate::fixture::location(&browser.authorize("web", &[]).await);
        let (_, handle) = login.split_once('=').unwrap();
        let (place, parameters) = redirected(&browser.post("/authorize/cancel", &[("request", handle)]).await);
        assert_eq!((place, parameters["error"].as_str()), (redirect_uri("web"), "access_denied"));
    }

    async fn a_request_waits_for_half_an_hour(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.browser();
        let login = crate::fixture::location(&browser.authorize("web", &[]).await);
        idp.clock.advance(chrono::TimeDelta::minutes(31));
        assert_eq!(browser.get(&login).await.status(), StatusCode::BAD_REQUEST);
    }

    /// Core §3.1.2.1: a post of another site comes without `SameSite=Lax` cookies, and still finds the session.
    async fn a_post_without_cookies_is_judged_with_them(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let redirect_uri = redirect_uri("web");
        let form = [
            ("response_type", "code"), ("client_id", "web"), ("redirect_uri", &redirect_uri), ("scope", "openid"),
            ("prompt", "none"),
        ];
        let post = idp.http.post(idp.at("/authorize")).form(&form).header("sec-fetch-site", "cross-site");
        let answer = post.send().await.unwrap();
        assert!(answer.headers().get("set-cookie").is_none(), "the browser keeps the cookies that it has");
        let again = crate::fixture::location(&answer);
        let (_, parameters) = redirected(&browser.get(&again).await);
        assert!(parameters.contains_key("code"), "{parameters:?}");
    }

    /// Never a 500, never a redirect to somewhere else: on both databases.
    async fn what_no_parameter_may_hold_is_refused(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let long = "x".repeat(9000);
        for (name, value) in [("nonce", "a\0b"), ("state", &long), ("scope", "open\0id"), ("login_hint", "\0")] {
            let (place, parameters) = redirected(&browser.authorize("web", &[(name, value)]).await);
            assert_eq!((place.as_str(), parameters["error"].as_str()), ("https://web.example/cb", "invalid_request"), "{name}");
        }
        for change in [("client_id", "\0"), ("client_id", "we\0b"), ("redirect_uri", "\0")] {
            assert_eq!(browser.authorize("web", &[change]).await.status(), StatusCode::BAD_REQUEST, "{change:?}");
        }
        for path in ["/token", "/revoke", "/introspect"] {
            let answer = idp.http.post(idp.at(path)).form(&[("client_id", "\0"), ("token", "\0")]).send().await.unwrap();
            assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
            let answer = idp.http.post(idp.at(path)).basic_auth("\0", Some("\0")).form(&[("token", "x")]).send().await.unwrap();
            assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
        }
        let many: Vec<(String, &str)> = (0..101).map(|index| (format!("p{index}"), "x")).collect();
        let many = many.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>();
        let answer = browser.authorize("web", &many).await;
        assert!(answer.status() == StatusCode::BAD_REQUEST || redirected(&answer).1["error"] == "invalid_request");
    }
}
