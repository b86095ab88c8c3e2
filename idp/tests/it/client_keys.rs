//! Clients that publish their keys at a `jwks_uri` (RFC 7591 §2), and replace them when they like.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, extract::State, http::StatusCode as Status, routing::get};
use chrono::TimeDelta;
use idp::config::ClientConfig;
use platform::{
    on_each_database,
    server::Shutdown,
    testing::{TestDb, TestServer, serve},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    assertions::{good, present},
    fixture::{TestIdp, refused},
    signer::Key,
};

/// Where a client publishes its keys.
#[derive(Clone)]
struct Published {
    document: Arc<Mutex<(Status, String)>>,
    fetched: Arc<AtomicUsize>,
}

impl Published {
    fn put(&self, status: Status, document: &Value) {
        *self.document.lock().unwrap() = (status, document.to_string());
    }

    fn keys(&self, keys: &[(&Key, &str)]) {
        let keys: Vec<Value> = keys.iter().map(|(key, kid)| key.jwk(kid)).collect();
        self.put(Status::OK, &json!({"keys": keys}));
    }

    fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }
}

async fn document(State(published): State<Published>) -> (Status, String) {
    published.fetched.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await; // time for others to ask as well
    published.document.lock().unwrap().clone()
}

async fn bank(db: TestDb, allowed: &str) -> (TestIdp, Published, TestServer) {
    let document = Arc::new(Mutex::new((Status::NOT_FOUND, String::new())));
    let published = Published { document, fetched: Arc::default() };
    let (listener, url) = TestServer::reserve();
    let router = Router::new().route("/keys", get(self::document)).with_state(published.clone());
    let server = serve(listener, &router, Shutdown::default());
    let idp = TestIdp::with(db, |config| {
        config.outbound.allowed_addresses = vec![allowed.parse().unwrap()];
        config.clients.push(ClientConfig {
            client_id: "bank".to_owned(),
            client_secret: None,
            jwks_uri: Some(format!("{url}/keys")),
            grant_types: Some(vec!["client_credentials".to_owned()]),
            redirect_uris: Vec::new(),
            ..config.clients[0].clone()
        });
    })
    .await;
    (idp, published, server)
}

/// What an assertion signed by this key, under this name, gets.
async fn presented(idp: &TestIdp, key: &Key, kid: &str) -> (StatusCode, Value) {
    let jti = platform::secret::SecretHash::of(&format!("{:?}", std::time::Instant::now())).to_base64url();
    present(idp, &key.sign(&json!({"alg": "ES256", "kid": kid}), &good(idp, &jti)), &[]).await
}

on_each_database! {
    async fn a_client_replaces_its_keys_without_telling_anybody(db) {
        let (idp, published, _server) = bank(db, "127.0.0.0/8").await;
        let (old, new) = (Key::generate("ES256"), Key::generate("ES256"));
        published.keys(&[(&old, "old")]);
        assert_eq!(presented(&idp, &old, "old").await.0, StatusCode::OK);
        assert_eq!(presented(&idp, &old, "old").await.0, StatusCode::OK);
        assert_eq!(published.fetched(), 1, "keys are kept");

        published.keys(&[(&new, "new")]);
        idp.clock.advance(TimeDelta::seconds(5));
        assert_eq!(presented(&idp, &new, "new").await.0, StatusCode::OK, "a new name is looked for at once");
        assert_eq!(presented(&idp, &old, "old").await, refused("invalid_client"));
        assert_eq!(presented(&idp, &old, "new").await, refused("invalid_client"), "a name proves nothing");

        published.keys(&[(&old, "new")]);
        assert_eq!(presented(&idp, &new, "new").await.0, StatusCode::OK);
        idp.clock.advance(TimeDelta::minutes(5));
        assert_eq!(presented(&idp, &new, "new").await, refused("invalid_client"), "five minutes later all are read anew");
    }

    async fn unknown_keys_cause_no_storm_of_requests(db) {
        let (idp, published, _server) = bank(db, "127.0.0.0/8").await;
        let key = Key::generate("ES256");
        published.keys(&[(&key, "known")]);
        let asked = futures_util::future::join_all((0..50).map(|_| presented(&idp, &key, "unknown"))).await;
        assert!(asked.iter().all(|answer| *answer == refused("invalid_client")));
        assert_eq!(published.fetched(), 1);
        idp.clock.advance(TimeDelta::seconds(5));
        for _ in 0..5 {
            assert_eq!(presented(&idp, &key, "unknown").await, refused("invalid_client"));
        }
        assert_eq!(published.fetched(), 2);
        assert_eq!(presented(&idp, &key, "known").await.0, StatusCode::OK);
    }

    async fn keys_serve_on_for_an_hour_when_they_cannot_be_fetched(db) {
        let (idp, published, _server) = bank(db, "127.0.0.0/8").await;
        let key = Key::generate("ES256");
        assert_eq!(presented(&idp, &key, "a").await, refused("invalid_client"), "404");
        published.keys(&[(&key, "a")]);
        assert_eq!(presented(&idp, &key, "a").await, refused("invalid_client"), "it is not asked again at once");
        idp.clock.advance(TimeDelta::seconds(5));
        assert_eq!(presented(&idp, &key, "a").await.0, StatusCode::OK);
        published.put(Status::SERVICE_UNAVAILABLE, &Value::Null);
        idp.clock.advance(TimeDelta::minutes(59));
        assert_eq!(presented(&idp, &key, "a").await.0, StatusCode::OK);
        idp.clock.advance(TimeDelta::minutes(2));
        assert_eq!(presented(&idp, &key, "a").await, refused("invalid_client"));
    }

    async fn what_is_no_set_of_public_keys_is_refused_and_ends_what_was_known(db) {
        let (idp, published, _server) = bank(db, "127.0.0.0/8").await;
        let key = Key::generate("ES256");
        let mut private = key.jwk("a");
        private["d"] = "AQAB".into();
        for wrong in [
            json!("keys"), json!({}), json!({"keys": []}), json!({"keys": [private]}),
            json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]}), json!({"keys": [key.jwk("a"), "x".repeat(70_000)]}),
        ] {
            published.keys(&[(&key, "a")]);
            idp.clock.advance(TimeDelta::minutes(61));
            assert_eq!(presented(&idp, &key, "a").await.0, StatusCode::OK);
            published.put(Status::OK, &wrong);
            idp.clock.advance(TimeDelta::minutes(61));
            assert_eq!(presented(&idp, &key, "a").await, refused("invalid_client"), "{}", wrong.to_string().get(..60).unwrap_or_default());
        }
    }

    async fn keys_are_not_fetched_from_where_only_we_can_look(db) {
        let (idp, published, _server) = bank(db, "10.0.0.0/8").await;
        let key = Key::generate("ES256");
        published.keys(&[(&key, "a")]);
        assert_eq!(presented(&idp, &key, "a").await, refused("invalid_client"));
        assert_eq!(published.fetched(), 0);
    }
}

#[test]
fn a_jwks_uri_stands_alone_and_is_https() {
    let client = |uri: &str| ClientConfig {
        client_id: "bank".to_owned(),
        redirect_uris: vec!["https://bank.example/cb".to_owned()],
        jwks_uri: Some(uri.to_owned()),
        ..ClientConfig::default()
    };
    let wrong = |client: &ClientConfig| idp::admin::clients::check(client);
    assert_eq!(wrong(&client("https://bank.example/keys")), [""; 0]);
    for bad in ["http://bank.example/keys", "keys", "file:///keys", "https://bank.example/keys#x"] {
        assert_eq!(wrong(&client(bad)).len(), 1, "{bad}");
    }
    let good = client("https://bank.example/keys");
    let keys = Some(json!({"keys": [Key::generate("ES256").jwk("a")]}));
    for both in [
        ClientConfig { jwks: keys.clone(), ..good.clone() },
        ClientConfig { jwks_file: Some("keys.json".into()), ..good.clone() },
    ] {
        assert!(!wrong(&both).is_empty());
    }
    // For what else it signs (RFC 9101), whoever it proves to be by other means.
    for other in [
        ClientConfig { client_secret: Some("x".repeat(32).into()), ..good.clone() },
        ClientConfig { token_endpoint_auth_method: Some("none".to_owned()), ..good },
    ] {
        assert_eq!(wrong(&other), [""; 0]);
    }
}
