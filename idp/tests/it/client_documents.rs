//! Clients that are described by a document at their id (OAuth Client ID Metadata Document).

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, extract::State, http::StatusCode as Status, routing::get};
use chrono::TimeDelta;
use idp::{Config, admin::clients, config::ClientConfig, store};
use platform::{
    on_each_database,
    server::Shutdown,
    testing::{TestDb, TestServer},
    tls::Tls,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::RwLock;

use crate::fixture::{Browser, TestIdp, VERIFIER, answer, location, redirected};

const URI: &str = "https://late.example/cb";

/// An app with a web server: the address of its document is its id.
struct App {
    id: String,
    document: Arc<Mutex<(Status, String)>>,
    fetched: Arc<AtomicUsize>,
    /// Who holds it lets the app's server hang.
    gate: Arc<RwLock<()>>,
    shutdown: Shutdown,
    _certificates: TempDir,
}

impl App {
    fn good(&self) -> Value {
        self.good_at(&self.id)
    }

    fn good_at(&self, id: &str) -> Value {
        json!({"client_id": id, "client_name": "Late", "redirect_uris": [URI], "grant_types": ["authorization_code", "refresh_token"]})
    }

    fn put(&self, status: Status, document: &Value) {
        *self.document.lock().unwrap() = (status, document.to_string());
    }

    fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    async fn is_fetched(&self, times: usize) {
        while self.fetched() < times {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Another address on the same host.
    fn at(&self, name: &str) -> String {
        self.id.replace("client.json", name)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.shutdown.token.cancel();
    }
}

type Served = (Arc<Mutex<(Status, String)>>, Arc<AtomicUsize>, Arc<RwLock<()>>);

async fn document(State((document, fetched, gate)): State<Served>) -> (Status, String) {
    fetched.fetch_add(1, Ordering::SeqCst);
    drop(gate.read().await);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await; // time for others to ask as well
    document.lock().unwrap().clone()
}

async fn idp_and_app(db: TestDb, allowed: bool) -> (TestIdp, App) {
    idp_with_app(db, |config| config.client_id_metadata_documents = allowed).await
}

async fn idp_with_app(db: TestDb, change: impl FnOnce(&mut Config)) -> (TestIdp, App) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: String| {
        let file = directory.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = file("server.pem", params.signed_by(&key, &authority).unwrap().pem());
    let tls = Tls { certificate, key: file("server.key", key.serialize_pem()) };

    let (listener, url) = TestServer::reserve();
    let document = Arc::new(Mutex::new((Status::NOT_FOUND, String::new())));
    let (fetched, gate) = (Arc::default(), Arc::default());
    let served: Served = (Arc::clone(&document), Arc::clone(&fetched), Arc::clone(&gate));
    let router = Router::new().route("/{name}", get(self::document)).with_state(served);
    let shutdown = Shutdown::default();
    platform::server::serve(vec![listener], &router, Some(&tls), &shutdown).unwrap();
    let id = format!("{}/client.json", url.replace("http:", "https:"));
    let ca_file = file("ca.pem", authority.pem());
    let idp = TestIdp::with(db, |config| {
        config.client_id_metadata_documents = true;
        config.outbound.allowed_addresses = vec!["127.0.0.0/8".parse().unwrap()];
        config.outbound.ca_file = Some(ca_file);
        change(config);
    })
    .await;
    let app = App { id, document, fetched, gate, shutdown, _certificates: directory };
    app.put(Status::OK, &app.good());
    (idp, app)
}

/// What the authorization endpoint answers to a good request.
async fn asked(browser: &Browser<'_>, app: &App) -> reqwest::Response {
    asked_by(browser, &app.id).await
}

async fn asked_by(browser: &Browser<'_>, id: &str) -> reqwest::Response {
    browser.authorize(id, &[("redirect_uri", URI), ("scope", "openid")]).await
}

/// It is asked for consent, or needs none any more.
async fn is_known(browser: &Browser<'_>, app: &App) -> bool {
    asked(browser, app).await.status() == StatusCode::SEE_OTHER
}

async fn is_asked_for_consent(browser: &Browser<'_>, app: &App) -> bool {
    location(&asked(browser, app).await).starts_with("/consent")
}

/// Registrations are cached for a second of real time.
async fn wait_for_the_cache() {
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
}

on_each_database! {
    async fn an_app_that_nobody_has_registered_is_used_when_people_allow_it(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        let page = browser.get(&location(&asked(&browser, &app).await)).await;
        let allowed = browser.submit(page, &[("decision", "allow")]).await;
        let code = &redirected(&allowed).1["code"];
        let form = [
            ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", URI), ("code_verifier", VERIFIER), ("client_id", &app.id),
        ];
        let (status, tokens) = answer(idp.http.post(idp.at("/token")).form(&form)).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        assert!(!is_asked_for_consent(&browser, &app).await);
        assert_eq!(app.fetched(), 1);
        let stored = clients::find(&idp.operator, &app.id).await.unwrap();
        assert!(!stored.first_party && stored.require_pkce && stored.is_public());
        let (_, metadata) = answer(idp.http.get(idp.at("/.well-known/openid-configuration"))).await;
        assert_eq!(metadata["client_id_metadata_document_supported"], json!(true));
    }

    async fn what_does_not_describe_the_client_at_its_address_is_none(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        let with = |name: &str, value: Value| {
            let mut document = app.good();
            document[name] = value;
            document
        };
        for (status, wrong) in [
            (Status::NOT_FOUND, app.good()), (Status::FOUND, app.good()), (Status::OK, json!("x")), (Status::OK, json!([app.good()])),
            (Status::OK, with("client_id", json!("https://localhost/client.json"))), (Status::OK, with("client_id", Value::Null)),
            (Status::OK, with("client_id", json!(format!("{}/", app.id)))), (Status::OK, with("client_secret", json!("x".repeat(40)))),
            (Status::OK, with("token_endpoint_auth_method", json!("client_secret_basic"))), (Status::OK, with("redirect_uris", json!([]))),
            (Status::OK, with("token_endpoint_auth_method", json!("private_key_jwt"))), (Status::OK, with("redirect_uris", json!(["javascript:x"]))),
            (Status::OK, with("grant_types", json!(["authorization_code", "client_credentials"]))), (Status::OK, with("client_name", json!("\u{202e}"))),
            (Status::OK, with("client_uri", json!("x".repeat(70_000)))),
        ] {
            app.put(status, &wrong);
            assert_eq!(asked(&browser, &app).await.status(), StatusCode::BAD_REQUEST, "{status} {:.200}", wrong.to_string());
            idp.clock.advance(TimeDelta::seconds(10));
        }
        assert!(clients::find(&idp.operator, &app.id).await.is_err());
        app.put(Status::OK, &app.good());
        assert!(is_known(&browser, &app).await);
    }

    async fn documents_are_fetched_again_and_serve_on_for_a_day(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        let page = browser.get(&location(&asked(&browser, &app).await)).await;
        browser.submit(page, &[("decision", "allow")]).await;
        let mut renamed = app.good();
        renamed["client_name"] = "The Bank".into();
        app.put(Status::OK, &renamed);
        wait_for_the_cache().await;
        assert!(!is_asked_for_consent(&browser, &app).await && app.fetched() == 1, "it is kept");
        idp.clock.advance(TimeDelta::minutes(5));
        wait_for_the_cache().await;
        assert!(is_asked_for_consent(&browser, &app).await && app.fetched() == 2, "what it calls itself was not allowed");

        app.put(Status::INTERNAL_SERVER_ERROR, &Value::Null);
        idp.clock.advance(TimeDelta::hours(23));
        wait_for_the_cache().await;
        assert!(is_known(&browser, &app).await);
        idp.clock.advance(TimeDelta::hours(2));
        wait_for_the_cache().await;
        assert!(!is_known(&browser, &app).await);
    }

    async fn one_address_is_asked_once_however_many_name_it(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        let answers = futures_util::future::join_all((0..30).map(|_| asked(&browser, &app))).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
        assert_eq!((statuses, app.fetched()), (vec![303; 30], 1));
    }

    async fn what_the_operator_says_of_a_client_holds(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        let registered = ClientConfig {
            client_id: app.id.clone(),
            redirect_uris: vec!["https://other.example/cb".to_owned()],
            ..ClientConfig::default()
        };
        clients::add(&idp.operator, registered, false, idp.clock.now()).await.unwrap();
        assert_eq!(asked(&browser, &app).await.status(), StatusCode::BAD_REQUEST);
        clients::disable(&idp.operator, &app.id, idp.clock.now()).await.unwrap();
        wait_for_the_cache().await;
        assert!(!is_known(&browser, &app).await && !is_known(&browser, &app).await);
        assert!(clients::find(&idp.operator, &app.id).await.is_err(), "it stays disabled");
        assert_eq!(app.fetched(), 0, "there was nothing to ask");
    }

    async fn what_the_configuration_says_of_a_client_holds_against_its_document(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        assert!(is_known(&browser, &app).await);
        let declared = ClientConfig {
            client_id: app.id.clone(),
            redirect_uris: vec!["https://other.example/cb".to_owned()],
            ..ClientConfig::default()
        };
        let now = idp.clock.now();
        clients::declare(&idp.operator, &[crate::fixture::clients(), vec![declared]].concat(), now).await.unwrap();
        idp.clock.advance(TimeDelta::hours(2));
        wait_for_the_cache().await;
        assert!(!is_known(&browser, &app).await && app.fetched() == 1);
        store::sweep(&idp.db, idp.clock.now()).await.unwrap();
        assert!(clients::find(&idp.operator, &app.id).await.unwrap().declared);

        // Declared no more: shut out, whatever its document says.
        clients::declare(&idp.operator, &crate::fixture::clients(), now).await.unwrap();
        wait_for_the_cache().await;
        assert!(!is_known(&browser, &app).await && app.fetched() == 1);
    }

    /// Declared while its document is on the way.
    async fn a_document_cannot_race_the_configuration(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        let declared = ClientConfig {
            client_id: app.id.clone(),
            redirect_uris: vec!["https://other.example/cb".to_owned()],
            ..ClientConfig::default()
        };
        let configured = [crate::fixture::clients(), vec![declared]].concat();
        for known in [false, true] {
            if known {
                assert!(is_known(&browser, &app).await);
                idp.clock.advance(TimeDelta::minutes(5));
                wait_for_the_cache().await;
            }
            let fetched = app.fetched();
            let declaring = async {
                app.is_fetched(fetched + 1).await;
                clients::declare(&idp.operator, &configured, idp.clock.now()).await.unwrap();
            };
            let (answer, ()) = tokio::join!(asked(&browser, &app), declaring);
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
            assert!(clients::find(&idp.operator, &app.id).await.unwrap().declared);
            clients::declare(&idp.operator, &crate::fixture::clients(), idp.clock.now()).await.unwrap();
            clients::remove(&idp.operator, &app.id, idp.clock.now()).await.unwrap();
            wait_for_the_cache().await;
        }
    }

    /// Removing it would bring it back as soon as it is named.
    async fn a_client_that_was_disabled_stays_out_and_its_metadata_unread(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        assert!(is_known(&browser, &app).await);
        clients::disable(&idp.operator, &app.id, idp.clock.now()).await.unwrap();
        for _ in 0..2 {
            wait_for_the_cache().await;
            idp.clock.advance(TimeDelta::hours(2));
            assert!(!is_known(&browser, &app).await && app.fetched() == 1);
            store::sweep(&idp.db, idp.clock.now()).await.unwrap();
        }
        clients::enable(&idp.operator, &app.id, idp.clock.now()).await.unwrap();
        assert!(is_known(&browser, &app).await);
        store::sweep(&idp.db, idp.clock.now() + TimeDelta::hours(2)).await.unwrap();
        assert!(clients::find(&idp.operator, &app.id).await.is_err());
    }

    async fn a_host_that_hangs_is_asked_twice_at_once_and_no_more(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        assert!(is_known(&browser, &app).await);
        idp.clock.advance(TimeDelta::minutes(5));
        wait_for_the_cache().await;
        let third = app.at("third.json");
        app.put(Status::OK, &app.good_at(&third));
        let hanging = app.gate.write().await;
        let (first, second) = (app.at("first.json"), app.at("second.json"));
        let others = async {
            app.is_fetched(3).await;
            let page = asked_by(&browser, &third).await;
            assert_eq!((page.status(), &page.headers()["retry-after"]), (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap()));
            assert!(page.text().await.unwrap().contains("Too many new apps"));
            let form = [("client_id", third.as_str()), ("grant_type", "authorization_code")];
            for path in ["/token", "/par"] {
                let response = idp.http.post(idp.at(path)).form(&form).send().await.unwrap();
                assert_eq!((response.status(), &response.headers()["retry-after"]), (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap()));
                assert_eq!(response.json::<Value>().await.unwrap(), json!({"error": "temporarily_unavailable"}));
            }
            let elsewhere = third.replace("localhost", "127.0.0.1");
            assert_eq!(asked_by(&browser, &elsewhere).await.status(), StatusCode::BAD_REQUEST, "other hosts have their turn");
            assert!(is_known(&browser, &app).await, "what is known serves on");
            assert_eq!(app.fetched(), 3);
            drop(hanging);
        };
        tokio::join!(asked_by(&browser, &first), asked_by(&browser, &second), others);
        // It had no turn, which is no failure of its own.
        assert_eq!(asked_by(&browser, &third).await.status(), StatusCode::SEE_OTHER);
    }

    async fn one_network_cannot_bring_new_clients_without_end(db) {
        let (idp, app) = idp_with_app(db, |config| config.throttle.per_network = 2).await;
        let browser = idp.signed_up("alice").await;
        assert!(is_known(&browser, &app).await);
        assert_eq!(asked_by(&browser, &app.at("wrong.json")).await.status(), StatusCode::BAD_REQUEST);
        let other = app.at("other.json");
        app.put(Status::OK, &app.good_at(&other));
        let page = asked_by(&browser, &other).await;
        assert_eq!((page.status(), &page.headers()["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap()));
        let form = [("client_id", other.as_str()), ("grant_type", "authorization_code")];
        let (status, body) = answer(idp.http.post(idp.at("/token")).form(&form)).await;
        assert_eq!((status, body), (StatusCode::TOO_MANY_REQUESTS, json!({"error": "temporarily_unavailable"})));
        assert_eq!(app.fetched(), 2);
        idp.clock.advance(TimeDelta::seconds(1));
        assert_eq!(asked_by(&browser, &other).await.status(), StatusCode::SEE_OTHER);

        // What is known is fetched again all the same.
        idp.clock.advance(TimeDelta::minutes(5));
        app.put(Status::OK, &app.good());
        wait_for_the_cache().await;
        for _ in 0..3 {
            assert!(is_known(&browser, &app).await);
            idp.clock.advance(TimeDelta::minutes(5));
            wait_for_the_cache().await;
        }
        assert_eq!(app.fetched(), 6);
    }

    async fn what_nobody_used_is_swept(db) {
        let (idp, app) = idp_and_app(db, true).await;
        let browser = idp.signed_up("alice").await;
        assert!(is_known(&browser, &app).await);
        let later = |hours| idp.clock.now() + TimeDelta::hours(hours);
        store::sweep(&idp.db, later(0)).await.unwrap();
        assert!(clients::find(&idp.operator, &app.id).await.is_ok());
        let page = browser.get(&location(&asked(&browser, &app).await)).await;
        browser.submit(page, &[("decision", "allow")]).await;
        store::sweep(&idp.db, later(2)).await.unwrap();
        assert!(clients::find(&idp.operator, &app.id).await.is_ok(), "somebody has allowed it");
        clients::remove(&idp.operator, &app.id, idp.clock.now()).await.unwrap();
        wait_for_the_cache().await;
        assert!(is_known(&idp.signed_up("bob").await, &app).await);
        store::sweep(&idp.db, later(2)).await.unwrap();
        assert!(clients::find(&idp.operator, &app.id).await.is_err());
    }

    async fn nothing_is_fetched_unless_the_operator_says_so(db) {
        let (idp, app) = idp_and_app(db, false).await;
        let browser = idp.signed_up("alice").await;
        assert_eq!(asked(&browser, &app).await.status(), StatusCode::BAD_REQUEST);
        assert_eq!(app.fetched(), 0);
        let (_, metadata) = answer(idp.http.get(idp.at("/.well-known/openid-configuration"))).await;
        assert!(metadata.get("client_id_metadata_document_supported").is_none());
    }
}
