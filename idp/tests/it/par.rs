//! Pushed Authorization Requests, RFC 9126.

use chrono::TimeDelta;
use idp::config::ClientConfig;
use platform::on_each_database;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::fixture::{
    Browser, PASSWORD, SECRET, TestIdp, VERIFIER, answer, changed, code_challenge, location, redirect_uri,
    redirected, refused,
};

impl TestIdp {
    /// Pushes a good request as `client`; `change` replaces or removes parameters.
    async fn push(&self, client: &str, change: &[(&str, &str)]) -> (StatusCode, Value) {
        let (redirect_uri, challenge) = (redirect_uri(client), code_challenge(VERIFIER));
        let good = [
            ("response_type", "code"),
            ("redirect_uri", redirect_uri.as_str()),
            ("scope", "openid profile"),
            ("state", "pushed-state"),
            ("nonce", "a-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        answer(self.authenticated("/par", client, &changed(&good, change))).await
    }

    /// The `request_uri` of a good request.
    async fn pushed(&self, client: &str, change: &[(&str, &str)]) -> String {
        let (status, body) = self.push(client, change).await;
        assert_eq!((status, &body["expires_in"]), (StatusCode::CREATED, &json!(90)), "{body}");
        body["request_uri"].as_str().unwrap().to_owned()
    }
}

impl Browser<'_> {
    /// Arrives with a name for a request, and with other parameters that mean nothing then.
    async fn arrive(&self, client: &str, request_uri: &str) -> Response {
        let parameters = [
            ("client_id", client),
            ("request_uri", request_uri),
            ("scope", "openid email tasks:write"),
            ("state", "front-channel"),
            ("redirect_uri", "https://evil.example/"),
        ];
        self.get(Url::parse_with_params(&self.idp.at("/authorize"), parameters).unwrap().as_str()).await
    }
}

fn is_page(response: &Response) {
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(response.headers().get("location").is_none(), "nobody is redirected");
}

on_each_database! {
    async fn what_was_pushed_is_what_is_asked_for(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        for client in ["web", "poster", "spa"] {
            let request_uri = idp.pushed(client, &[]).await;
            assert!(request_uri.starts_with("urn:ietf:params:oauth:request_uri:lkp_"), "{request_uri}");
            let (place, parameters) = redirected(&browser.arrive(client, &request_uri).await);
            assert_eq!((place, parameters["state"].as_str()), (redirect_uri(client), "pushed-state"));
            let (status, tokens) = idp.redeem(client, &parameters["code"], &[]).await;
            assert_eq!((status, &tokens["scope"]), (StatusCode::OK, &json!("openid profile")), "{client}");
        }
    }

    async fn a_pushed_request_is_good_once(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let request_uri = idp.pushed("web", &[]).await;
        let arrivals = (0..50).map(|_| browser.arrive("web", &request_uri));
        let answers = futures_util::future::join_all(arrivals).await;
        let redirects = answers.iter().filter(|answer| answer.status() == StatusCode::SEE_OTHER).count();
        assert_eq!(redirects, 1);
        is_page(&browser.arrive("web", &request_uri).await);
    }

    async fn a_pushed_request_is_its_clients_and_another_does_not_use_it_up(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let request_uri = idp.pushed("web", &[]).await;
        is_page(&browser.arrive("other", &request_uri).await);
        is_page(&browser.arrive("nobody", &request_uri).await);
        let (_, handle) = request_uri.rsplit_once(':').unwrap();
        let as_code = idp.redeem("web", handle, &[]).await;
        assert_eq!(as_code, refused("invalid_grant"), "nor is it a code");
        assert!(redirected(&browser.arrive("web", &request_uri).await).1.contains_key("code"));
    }

    async fn a_pushed_request_waits_ninety_seconds_for_the_browser(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        for (seconds, good) in [(89, true), (90, false)] {
            let request_uri = idp.pushed("web", &[]).await;
            idp.clock.advance(TimeDelta::seconds(seconds));
            let answer = browser.arrive("web", &request_uri).await;
            assert_eq!(answer.status() == StatusCode::SEE_OTHER, good, "after {seconds} seconds");
        }
    }

    /// Once the browser has arrived, a person may take their time to log in.
    async fn a_pushed_request_survives_a_log_in(db) {
        let idp = TestIdp::new(db).await;
        idp.signed_up("alice").await;
        let browser = idp.browser();
        let request_uri = idp.pushed("web", &[("login_hint", "alice@example.com")]).await;
        let login = location(&browser.arrive("web", &request_uri).await);
        assert!(login.starts_with("/login?request="), "{login}");
        let form = browser.get(&login).await.text().await.unwrap();
        assert!(form.contains("value=\"alice@example.com\""), "the hint fills the form");
        idp.clock.advance(TimeDelta::minutes(10));
        let resumed = location(&browser.log_in(&login, "alice", PASSWORD).await);
        let (_, parameters) = redirected(&browser.get(&resumed).await);
        assert_eq!(parameters["state"], "pushed-state");
    }

    /// RFC 9126 §2.3: the client hears at once what a browser would have been sent back with.
    async fn what_could_not_be_asked_for_cannot_be_pushed(db) {
        let idp = TestIdp::new(db).await;
        let wrong: [(&[(&str, &str)], &str); 9] = [
            (&[("redirect_uri", "https://web.example/cb/")], "invalid_request"),
            (&[("redirect_uri", "")], "invalid_request"),
            (&[("response_type", "")], "invalid_request"),
            (&[("response_type", "token")], "unsupported_response_type"),
            (&[("scope", "nothing-of-ours")], "invalid_scope"),
            (&[("resource", "https://unknown.example")], "invalid_target"),
            (&[("prompt", "none login")], "invalid_request"),
            (&[("code_challenge_method", "plain")], "invalid_request"),
            (&[("request_uri", "urn:ietf:params:oauth:request_uri:lkp_x")], "invalid_request"),
        ];
        for (change, error) in wrong {
            assert_eq!(idp.push("web", change).await, refused(error), "{change:?}");
        }
        assert_eq!(idp.push("spa", &[("code_challenge", "")]).await, refused("invalid_request"), "public clients need PKCE");
        let robot = [("redirect_uri", "https://web.example/cb")];
        assert_eq!(idp.push("robot", &robot).await, refused("invalid_request"), "it has no redirect URI");
        assert_eq!(idp.push("nobody", &[]).await, refused("invalid_client"));
        let wrong_secret = idp.http.post(idp.at("/par")).basic_auth("web", Some("wrong")).form(&[("a", "b")]);
        assert_eq!(answer(wrong_secret).await, refused("invalid_client"));
        let nobody = idp.http.post(idp.at("/par")).basic_auth("web", Some(SECRET)).json(&json!({"scope": "openid"}));
        assert_eq!(answer(nobody).await, refused("invalid_request"));
        let get = idp.http.get(idp.at("/par")).send().await.unwrap();
        assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    async fn a_client_can_be_held_to_pushing(db) {
        let idp = TestIdp::with(db, |config| {
            let pushes = ClientConfig { require_pushed_authorization_requests: true, ..config.clients[0].clone() };
            config.clients[0] = pushes;
        }).await;
        let browser = idp.signed_up("alice").await;
        let (place, parameters) = redirected(&browser.authorize("web", &[]).await);
        assert_eq!((place, parameters["error"].as_str()), (redirect_uri("web"), "invalid_request"));
        let request_uri = idp.pushed("web", &[("prompt", "login")]).await;
        let login = location(&browser.arrive("web", &request_uri).await);
        let resumed = location(&browser.log_in(&login, "alice", PASSWORD).await);
        assert!(redirected(&browser.get(&resumed).await).1.contains_key("code"));
    }
}
