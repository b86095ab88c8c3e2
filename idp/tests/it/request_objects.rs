//! Signed request objects by value, RFC 9101.

use idp::config::ClientConfig;
use platform::{on_each_database, testing::TestDb};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::{
    fixture::{
        Browser, PASSWORD, TestIdp, VERIFIER, answer, code_challenge, location, redirect_uri, redirected,
        refused,
    },
    signer::Key,
};

/// `bank` has the key, and a secret for the other endpoints; `strict` has it too, and has to use it.
async fn idp_with(db: TestDb, key: &Key) -> TestIdp {
    TestIdp::with(db, |config| {
        for (id, strict) in [("bank", false), ("strict", true)] {
            config.clients.push(ClientConfig {
                client_id: id.to_owned(),
                client_secret: None,
                jwks: Some(json!({"keys": [key.jwk("key")]})),
                redirect_uris: vec![redirect_uri(id)],
                require_signed_request_object: strict,
                ..config.clients[0].clone()
            });
        }
    })
    .await
}

/// What a good request object of `client` says; `change` replaces members, or removes them (`null`).
fn good(idp: &TestIdp, client: &str, change: &Value) -> Value {
    let now = idp.clock.now().timestamp();
    let mut claims = json!({
        "iss": client, "aud": idp.url, "client_id": client, "iat": now, "nbf": now, "exp": now + 60,
        "response_type": "code", "redirect_uri": redirect_uri(client), "scope": "openid profile",
        "state": "signed-state", "nonce": "signed-nonce", "max_age": 600,
        "claims": {"userinfo": {"email": null}},
        "code_challenge": code_challenge(VERIFIER), "code_challenge_method": "S256",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

impl Browser<'_> {
    /// Arrives with a request object, and with other parameters that mean nothing then.
    async fn bring(&self, client: &str, request: &str) -> Response {
        let redirect_uri = redirect_uri(client);
        let parameters = [
            ("client_id", client),
            ("request", request),
            ("response_type", "code"),
            ("redirect_uri", &redirect_uri),
            ("scope", "openid email tasks:write"),
            ("state", "front-channel"),
            ("prompt", "login"),
        ];
        self.get(Url::parse_with_params(&self.idp.at("/authorize"), parameters).unwrap().as_str()).await
    }
}

on_each_database! {
    /// §6.3: the signed parameters, and no others.
    async fn what_was_signed_is_what_is_asked_for(db) {
        let key = Key::generate("ES256");
        let idp = idp_with(db, &key).await;
        let browser = idp.signed_up("alice").await;
        for header in [json!({"alg": "ES256"}), json!({"alg": "ES256", "kid": "key", "typ": "oauth-authz-req+jwt"}), json!({"alg": "ES256", "typ": "JWT"})] {
            for client in ["bank", "strict"] {
                let request = key.sign(&header, &good(&idp, client, &json!({})));
                let (place, parameters) = redirected(&browser.bring(client, &request).await);
                assert_eq!((place, parameters["state"].as_str()), (redirect_uri(client), "signed-state"), "{parameters:?}");
                assert!(parameters.contains_key("code"), "{parameters:?}");
            }
        }
    }

    async fn every_algorithm_that_is_listed_is_accepted(db) {
        for algorithm in ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"] {
            let key = Key::generate(algorithm);
            let db = if db.url.starts_with("sqlite") { platform::testing::sqlite() } else { platform::testing::postgres().await.unwrap() };
            let idp = idp_with(db, &key).await;
            let request = key.sign(&json!({"alg": algorithm}), &good(&idp, "bank", &json!({})));
            let browser = idp.signed_up("alice").await;
            assert!(redirected(&browser.bring("bank", &request).await).1.contains_key("code"), "{algorithm}");
        }
    }

    /// A person may take their time; what they then get is what was signed.
    async fn a_signed_request_survives_a_log_in(db) {
        let key = Key::generate("EdDSA");
        let idp = idp_with(db, &key).await;
        idp.signed_up("alice").await;
        let browser = idp.browser();
        let request = key.sign(&json!({"alg": "EdDSA"}), &good(&idp, "strict", &json!({"login_hint": "alice@example.com"})));
        let login = location(&browser.bring("strict", &request).await);
        idp.clock.advance(chrono::TimeDelta::minutes(10));
        let resumed = location(&browser.log_in(&login, "alice", PASSWORD).await);
        let (_, parameters) = redirected(&browser.get(&resumed).await);
        assert_eq!(parameters["state"], "signed-state");
    }

    async fn what_its_client_has_not_signed_for_us_now_is_refused(db) {
        let (key, other) = (Key::generate("ES256"), Key::generate("ES256"));
        let idp = idp_with(db, &key).await;
        let browser = idp.signed_up("alice").await;
        let header = json!({"alg": "ES256"});
        let now = idp.clock.now().timestamp();
        let with = |change: Value| key.sign(&header, &good(&idp, "bank", &change));
        let plain = good(&idp, "bank", &json!({}));
        let wrong = [
            ("no JWT", "x".to_owned()),
            ("not signed", other.sign(&json!({"alg": "none"}), &plain)),
            ("without its signature", key.sign(&header, &plain).rsplit_once('.').unwrap().0.to_owned() + "."),
            ("a symmetric alg", key.sign(&json!({"alg": "HS256"}), &plain)),
            ("another key", other.sign(&header, &plain)),
            ("a critical header", key.sign(&json!({"alg": "ES256", "crit": ["x"]}), &plain)),
            ("typ of a proof", key.sign(&json!({"alg": "ES256", "typ": "dpop+jwt"}), &plain)),
            ("another client", with(json!({"client_id": "web"}))),
            ("no client", with(json!({"client_id": null}))),
            ("another issuer", with(json!({"iss": "web"}))),
            ("another audience", with(json!({"aud": "https://other.example"}))),
            ("an assertion", with(json!({"sub": "bank"}))),
            ("expired", with(json!({"exp": now}))),
            ("exp as text", with(json!({"exp": "never"}))),
            ("not yet", with(json!({"nbf": now + 60}))),
            ("of the future", with(json!({"iat": now + 60}))),
            ("another request in it", with(json!({"request": "x"}))),
            ("another request_uri in it", with(json!({"request_uri": "https://x.example"}))),
            ("a parameter of no kind", with(json!({"prompt": true}))),
        ];
        for (what, request) in wrong {
            let (place, parameters) = redirected(&browser.bring("bank", &request).await);
            assert_eq!((place, parameters["error"].as_str()), (redirect_uri("bank"), "invalid_request_object"), "{what}");
            assert_eq!(parameters["state"], "front-channel", "{what}");
        }
        // What is wrong with the parameters themselves has the errors that it always has.
        let unregistered = browser.bring("bank", &with(json!({"redirect_uri": "https://evil.example/"}))).await;
        assert_eq!(unregistered.status(), StatusCode::BAD_REQUEST);
        let (_, parameters) = redirected(&browser.bring("bank", &with(json!({"scope": "nothing-of-ours"}))).await);
        assert_eq!((parameters["error"].as_str(), parameters["state"].as_str()), ("invalid_scope", "signed-state"));
        // A client without keys cannot have signed anything.
        let (_, parameters) = redirected(&browser.bring("web", &key.sign(&header, &good(&idp, "web", &json!({})))).await);
        assert_eq!(parameters["error"], "invalid_request_object");
        // Nobody is sent to a place that only an unsigned object names.
        let url = Url::parse_with_params(&idp.at("/authorize"), [("client_id", "bank"), ("request", &other.sign(&header, &plain))]).unwrap();
        assert_eq!(browser.get(url.as_str()).await.status(), StatusCode::BAD_REQUEST);
    }

    /// §10.5
    async fn a_client_can_be_held_to_signing(db) {
        let key = Key::generate("ES256");
        let idp = idp_with(db, &key).await;
        let browser = idp.signed_up("alice").await;
        let (_, parameters) = redirected(&browser.authorize("strict", &[]).await);
        assert_eq!(parameters["error"], "invalid_request");
        assert!(redirected(&browser.authorize("bank", &[]).await).1.contains_key("code"));
    }

    /// RFC 9126 §3: pushed, it is judged at once.
    async fn a_request_object_can_be_pushed(db) {
        let key = Key::generate("ES256");
        let idp = idp_with(db, &key).await;
        let browser = idp.signed_up("alice").await;
        let header = json!({"alg": "ES256"});
        let push = async |request: &str| {
            let now = idp.clock.now().timestamp();
            let assertion = json!({"iss": "strict", "sub": "strict", "aud": idp.url, "jti": uuid::Uuid::now_v7(), "exp": now + 60});
            let assertion = key.sign(&header, &assertion);
            let form = [("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), ("client_assertion", &assertion), ("request", request), ("scope", "openid email")];
            answer(idp.http.post(idp.at("/par")).form(&form)).await
        };
        let (status, pushed) = push(&key.sign(&header, &good(&idp, "strict", &json!({})))).await;
        assert_eq!(status, StatusCode::CREATED, "{pushed}");
        let arrival = [("client_id", "strict"), ("request_uri", pushed["request_uri"].as_str().unwrap())];
        let arrived = browser.get(Url::parse_with_params(&idp.at("/authorize"), arrival).unwrap().as_str()).await;
        assert_eq!(redirected(&arrived).1["state"], "signed-state");
        let other = Key::generate("ES256");
        assert_eq!(push(&other.sign(&header, &good(&idp, "strict", &json!({})))).await, refused("invalid_request_object"));
        assert_eq!(push("").await, refused("invalid_request"), "it has to be signed");
    }
}
