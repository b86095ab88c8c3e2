//! RP-Initiated Logout 1.0.

use platform::on_each_database;
use reqwest::{StatusCode, Url};

use crate::fixture::{Browser, TestIdp, location, redirected};

const BYE: &str = "https://web.example/bye";

fn path(idp: &TestIdp, parameters: &[(&str, &str)]) -> String {
    Url::parse_with_params(&idp.at("/logout"), parameters).unwrap().to_string()
}

async fn id_token(idp: &TestIdp, browser: &Browser<'_>, client: &str) -> String {
    let (_, tokens) = idp.redeem(client, &browser.code(client, &[]).await, &[]).await;
    tokens["id_token"].as_str().unwrap().to_owned()
}

async fn is_logged_in(browser: &Browser<'_>) -> bool {
    let (_, parameters) = redirected(&browser.authorize("web", &[("prompt", "none")]).await);
    match parameters.get("error") {
        None => parameters.contains_key("code"),
        Some(error) => {
            assert_eq!(error, "login_required");
            false
        }
    }
}

on_each_database! {
    async fn a_hint_of_this_session_logs_out_and_goes_back(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let hint = id_token(&idp, &browser, "web").await;
        idp.clock.advance(chrono::TimeDelta::hours(2)); // the hint has expired; that is no matter
        let parameters = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a b&c")];
        let answer = browser.get(&path(&idp, &parameters)).await;
        assert_eq!(location(&answer), format!("{BYE}?state=a+b%26c"));
        assert!(!is_logged_in(&browser).await);
        let again = browser.get(&path(&idp, &parameters)).await;
        assert_eq!(location(&again), format!("{BYE}?state=a+b%26c"), "also when there is no session any more");
    }

    async fn the_same_works_by_post(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let hint = id_token(&idp, &browser, "web").await;
        let form = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE)];
        let answer = browser.send(idp.http.post(idp.at("/logout")).form(&form).header("origin", "https://web.example")).await;
        assert_eq!(location(&answer), BYE);
        assert!(!is_logged_in(&browser).await);
    }

    async fn without_a_hint_the_person_is_asked(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let answer = browser.get(&path(&idp, &[("client_id", "web"), ("post_logout_redirect_uri", BYE)])).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(is_logged_in(&browser).await, "asking ends nothing");
        let confirmed = browser.submit(answer, &[]).await;
        assert_eq!(confirmed.status(), StatusCode::OK, "a page: nothing proves who sent the person");
        assert!(!is_logged_in(&browser).await);
    }

    async fn a_hint_of_another_session_asks_and_then_goes_back(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let elsewhere = idp.signed_up("bob").await;
        let hint = id_token(&idp, &elsewhere, "web").await;
        let parameters =
            [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("client_id", "web"), ("state", "a&b")];
        let answer = browser.get(&path(&idp, &parameters)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self' https://web.example;"), "{policy}");
        assert!(is_logged_in(&browser).await);
        assert_eq!(location(&browser.submit(answer, &[]).await), format!("{BYE}?state=a%26b"));
        assert!(!is_logged_in(&browser).await);
        assert!(is_logged_in(&elsewhere).await, "another browser's session is not touched");
    }

    async fn what_is_no_id_token_of_ours_proves_nothing(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let (_, tokens) = idp.redeem("web", &browser.code("web", &[]).await, &[]).await;
        let own = tokens["id_token"].as_str().unwrap();
        let elsewhere = TestIdp::with(platform::testing::sqlite(), |config| {
            std::fs::remove_dir_all(&config.keys_dir).unwrap();
        })
        .await;
        let foreign = id_token(&elsewhere, &elsewhere.signed_up("alice").await, "web").await;
        let (head, signature) = own.rsplit_once('.').unwrap();
        let (header, _) = head.split_once('.').unwrap();
        let hints = [
            tokens["access_token"].as_str().unwrap().to_owned(),
            foreign.clone(),
            format!("{head}.{}", foreign.rsplit_once('.').unwrap().1),
            format!("{header}.{}.{signature}", foreign.split('.').nth(1).unwrap()),
            format!("{head}."),
            "nonsense".to_owned(),
        ];
        for hint in hints {
            let parameters = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("client_id", "web")];
            for browser in [&browser, &idp.browser()] {
                let answer = browser.get(&path(&idp, &parameters)).await;
                assert_eq!((answer.status(), answer.headers().get("location")), (StatusCode::OK, None), "{hint}");
            }
            assert!(is_logged_in(&browser).await, "{hint}");
        }
    }

    async fn a_query_that_was_registered_stays_before_the_state(db) {
        let idp = TestIdp::with(db, |config| {
            config.clients[0].post_logout_redirect_uris.push(format!("{BYE}?from=us"));
        }).await;
        let browser = idp.signed_up("alice").await;
        let hint = id_token(&idp, &browser, "web").await;
        let place = format!("{BYE}?from=us");
        let parameters = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", &place), ("state", "x")];
        assert_eq!(location(&browser.get(&path(&idp, &parameters)).await), format!("{place}&state=x"));
    }

    async fn an_unregistered_place_is_never_redirected_to(db) {
        let idp = TestIdp::new(db).await;
        for place in [
            "https://evil.example/", "https://web.example/bye/", "https://other.example/bye", "//evil.example",
            "javascript:alert(1)", "https://web.example/cb",
        ] {
            let browser = idp.signed_up(&format!("u{}", uuid::Uuid::new_v4().simple())).await;
            let hint = id_token(&idp, &browser, "web").await;
            let answer = browser.get(&path(&idp, &[("id_token_hint", &hint), ("post_logout_redirect_uri", place)])).await;
            assert_eq!(answer.status(), StatusCode::OK, "{place}");
            assert!(answer.headers().get("location").is_none(), "{place}");
            assert!(!is_logged_in(&browser).await, "{place}");
        }
    }

    async fn a_client_id_that_contradicts_the_hint_goes_nowhere(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let hint = id_token(&idp, &browser, "web").await;
        let parameters = [("id_token_hint", hint.as_str()), ("client_id", "other"), ("post_logout_redirect_uri", "https://other.example/bye")];
        assert_eq!(browser.get(&path(&idp, &parameters)).await.status(), StatusCode::OK);
    }

    async fn another_site_cannot_log_a_person_out(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        // As browsers send it: without the session's cookie, which no answer may then take away.
        let bare = idp.http.post(idp.at("/logout")).form(&[("state", "x")]).header("sec-fetch-site", "cross-site");
        let bare = bare.send().await.unwrap();
        assert!(bare.headers().get("set-cookie").is_none());
        assert!(browser.get(&location(&bare)).await.text().await.unwrap().contains("logout-confirm"));
        let forged = idp.http.post(idp.at("/logout/confirm")).form(&[("form_token", "x")]).header("origin", "https://evil.example");
        assert_eq!(browser.send(forged).await.status(), StatusCode::FORBIDDEN);
        assert!(is_logged_in(&browser).await);
    }
}
