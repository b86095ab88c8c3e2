//! OpenID Connect Back-Channel Logout 1.0.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Form, Router,
    extract::{Path, State},
    http::StatusCode as Status,
    routing::post,
};
use chrono::TimeDelta;
use idp::{
    admin::users,
    config::{ClientConfig, Passwords},
    store::{self, SessionId, logout_deliveries as deliveries},
};
use platform::{
    db::Tx,
    jws::{self, Jws},
    on_each_database,
    server::Shutdown,
    testing::{TestDb, TestServer, serve},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fixture::{Browser, PASSWORD, TestIdp, answer, claims, jwt_header, location};

/// Where all apps are told, each under its own name.
#[derive(Clone, Default)]
struct Apps(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// App and logout token, in the order in which they came.
    told: Vec<(String, String)>,
    /// What is answered to the next ones; then 200.
    answers: Vec<Status>,
    /// How often `slow` was asked.
    slow: usize,
}

impl Apps {
    fn told(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().told.clone()
    }

    /// What apps were told, as soon as it is that often and a little later.
    async fn wait_for(&self, times: usize) -> Vec<(String, String)> {
        let started = Instant::now();
        while self.told().len() < times && started.elapsed() < Duration::from_secs(10) {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(100)).await;
        let told = self.told();
        assert_eq!(told.len(), times, "{told:?}");
        told
    }

    fn slow(&self) -> usize {
        self.0.lock().unwrap().slow
    }

    fn answers(&self, answers: &[Status]) {
        self.0.lock().unwrap().answers = answers.iter().rev().copied().collect();
    }
}

async fn be_told(
    State(apps): State<Apps>,
    Path(app): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Status {
    if app == "slow" {
        apps.0.lock().unwrap().slow += 1;
        sleep(Duration::from_secs(10)).await;
    }
    let [(name, token)] = form.as_slice() else { return Status::BAD_REQUEST };
    assert_eq!(name, "logout_token");
    let mut known = apps.0.lock().unwrap();
    known.told.push((app, token.clone()));
    known.answers.pop().unwrap_or(Status::OK)
}

/// `web`, `other` and `shop` want to be told; so do `slow`, and `visitor`, which has no refresh tokens.
async fn idp_with_apps(db: TestDb) -> (TestIdp, Apps, TestServer) {
    let apps = Apps::default();
    let (listener, url) = TestServer::reserve();
    let server = serve(
        listener,
        &Router::new().route("/{app}", post(be_told)).with_state(apps.clone()),
        Shutdown::default(),
    );
    let idp = TestIdp::with(db, |config| {
        config.outbound.allowed_addresses = vec!["127.0.0.0/8".parse().unwrap()];
        // Some people log in a hundred times.
        config.throttle.per_account = 1000;
        config.throttle.per_account_and_network = 1000;
        config.throttle.per_network = 1000;
        for (id, grant_types) in [("slow", None), ("visitor", Some(vec!["authorization_code".to_owned()]))] {
            let redirect_uris = vec![crate::fixture::redirect_uri(id)];
            config.clients.push(ClientConfig {
                client_id: id.to_owned(),
                redirect_uris,
                grant_types,
                ..config.clients[0].clone()
            });
        }
        for client in &mut config.clients {
            if client.client_id != "poster" {
                client.backchannel_logout_uri = Some(format!("{url}/{}", client.client_id));
            }
        }
    })
    .await;
    (idp, apps, server)
}

/// Logs in to an app; its ID token.
async fn use_app(idp: &TestIdp, browser: &Browser<'_>, app: &str, change: &[(&str, &str)]) -> Value {
    let (status, tokens) = idp.redeem(app, &browser.code(app, change).await, &[]).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    tokens["id_token"].clone()
}

/// Each in a browser of its own.
async fn sessions_of_alice(idp: &TestIdp, app: &str, sessions: usize) {
    idp.signed_up("alice").await;
    let session = async || {
        let browser = idp.browser();
        browser.log_in("/login", "alice", PASSWORD).await;
        browser.code(app, &[]).await
    };
    // Not more at once than passwords are hashed.
    for _ in 0..sessions / 10 {
        futures_util::future::join_all((0..10).map(|_| session())).await;
    }
}

fn names(told: &[(String, String)]) -> BTreeSet<&str> {
    told.iter().map(|(app, _)| app.as_str()).collect()
}

on_each_database! {
    async fn every_app_of_the_session_is_told_and_no_other(db) {
        let (idp, apps, _server) = idp_with_apps(db).await;
        let (alice, elsewhere) = (idp.signed_up("alice").await, idp.browser());
        elsewhere.log_in("/login", "alice", PASSWORD).await;
        let id_token = use_app(&idp, &alice, "web", &[]).await;
        use_app(&idp, &alice, "web", &[]).await;
        use_app(&idp, &alice, "other", &[("scope", "openid offline_access")]).await;
        use_app(&idp, &alice, "poster", &[]).await;
        use_app(&idp, &elsewhere, "visitor", &[]).await;
        alice.post("/logout/confirm", &[]).await;

        let told = apps.wait_for(2).await;
        assert_eq!(names(&told), BTreeSet::from(["web", "other"]));
        let (_, jwks) = answer(idp.http.get(idp.at("/jwks"))).await;
        let mut ids = BTreeSet::new();
        for (app, token) in &told {
            let jws = Jws::parse(token).unwrap();
            assert_eq!(jws.header.typ.as_deref(), Some("logout+jwt"));
            assert_eq!(jwt_header(&json!(token))["alg"], "RS256");
            let claims: Value = jws.verify(&jws::keys(&jwks).unwrap()).unwrap();
            let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"]);
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(idp.url), &json!(app)));
            assert_eq!(claims["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
            let known = self::claims(&id_token);
            assert_eq!((&claims["sid"], &claims["sub"]), (&known["sid"], &known["sub"]));
            let now = idp.clock.now().timestamp();
            assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now), &json!(now + 120)));
            ids.insert(claims["jti"].to_string());
        }
        assert_eq!(ids.len(), 2);
    }

    async fn a_session_that_ends_in_any_way_is_told(db) {
        let (idp, apps, _server) = idp_with_apps(db).await;
        let now = || idp.clock.now();
        let browser = idp.signed_up("alice").await;
        idp.signed_up("bob").await;
        let passwords = Passwords { memory: 8, iterations: 1, ..Default::default() };
        let log_in = async || {
            let login = location(&browser.authorize("web", &[("prompt", "login")]).await);
            browser.log_in(&login, "alice", PASSWORD).await;
            use_app(&idp, &browser, "web", &[]).await
        };

        let hint = log_in().await;
        browser.get(&format!("/logout?id_token_hint={}", hint.as_str().unwrap())).await;
        assert_eq!(apps.wait_for(1).await.len(), 1, "by the app's wish");

        log_in().await;
        let login = location(&browser.authorize("web", &[("prompt", "login")]).await);
        browser.log_in(&login, "bob", PASSWORD).await;
        apps.wait_for(2).await;

        log_in().await;
        users::disable(&idp.operator, "alice@example.com", now()).await.unwrap();
        apps.wait_for(3).await;
        users::enable(&idp.operator, "alice@example.com", idp.clock.now()).await.unwrap();

        log_in().await;
        let elsewhere = idp.browser();
        elsewhere.log_in("/login", "alice", PASSWORD).await;
        elsewhere.post("/account/sessions/end-others", &[]).await;
        apps.wait_for(4).await;

        log_in().await;
        browser.post("/account/data/delete", &[]).await;
        apps.wait_for(5).await;
        users::enable(&idp.operator, "alice@example.com", idp.clock.now()).await.unwrap();

        log_in().await;
        users::set_password(&idp.operator, &passwords, "alice@example.com", &"another horse, another staple".into(), now()).await.unwrap();
        let told = apps.wait_for(6).await;
        let sessions: BTreeSet<_> = told.iter().map(|(_, token)| claims(&json!(token))["sid"].to_string()).collect();
        assert_eq!(sessions.len(), 6);
    }

    async fn a_session_that_goes_on_is_not_told(db) {
        let (idp, apps, _server) = idp_with_apps(db).await;
        let browser = idp.signed_up("alice").await;
        use_app(&idp, &browser, "web", &[]).await;
        let login = location(&browser.authorize("other", &[("prompt", "login")]).await);
        browser.log_in(&login, "alice", PASSWORD).await;
        browser.get("/logout").await; // asks first
        let id_token = claims(&use_app(&idp, &browser, "web", &[]).await);
        let sid = SessionId(id_token["sid"].as_str().unwrap().parse().unwrap());
        let mut tx = idp.db.write().await.unwrap();
        store::sessions::end(&mut tx, sid, idp.clock.now()).await.unwrap();
        drop(tx); // what is rolled back has not happened
        sleep(Duration::from_millis(1500)).await;
        assert_eq!(apps.told(), []);
    }

    /// Its grant has long expired; the session at the app may not have.
    async fn an_app_that_took_part_long_ago_is_told(db) {
        let (idp, apps, _server) = idp_with_apps(db).await;
        let browser = idp.signed_up("alice").await;
        use_app(&idp, &browser, "visitor", &[]).await;
        use_app(&idp, &browser, "poster", &[]).await;
        idp.clock.advance(TimeDelta::days(3));
        store::sweep(&idp.db, idp.clock.now()).await.unwrap();
        browser.post("/logout/confirm", &[]).await;
        assert_eq!(names(&apps.wait_for(1).await), BTreeSet::from(["visitor"]));
        idp.clock.advance(TimeDelta::days(31));
        assert!(store::sweep(&idp.db, idp.clock.now()).await.unwrap() >= 2, "session and grant");
    }

    async fn nobody_waits_for_an_app_that_does_not_answer(db) {
        let (idp, apps, _server) = idp_with_apps(db).await;
        let browser = idp.signed_up("alice").await;
        use_app(&idp, &browser, "slow", &[]).await;
        use_app(&idp, &browser, "web", &[]).await;
        let started = Instant::now();
        browser.post("/logout/confirm", &[]).await;
        assert_eq!(apps.wait_for(1).await[0].0, "web");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }

    async fn an_app_that_hangs_with_many_sessions_stands_in_nobodys_way(db) {
        let (idp, apps, _server) = idp_with_apps(db).await;
        let bob = idp.signed_up("bob").await;
        for app in ["web", "other"] {
            use_app(&idp, &bob, app, &[]).await;
        }
        sessions_of_alice(&idp, "slow", 100).await;
        users::disable(&idp.operator, "alice@example.com", idp.clock.now()).await.unwrap();
        let started = Instant::now();
        while apps.slow() < 4 && started.elapsed() < Duration::from_secs(10) {
            sleep(Duration::from_millis(10)).await;
        }
        let started = Instant::now();
        bob.post("/logout/confirm", &[]).await;
        assert_eq!(names(&apps.wait_for(2).await), BTreeSet::from(["other", "web"]));
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        assert_eq!(apps.slow(), 4, "its share");

        sleep(Duration::from_secs(6)).await;
        assert_eq!(apps.slow(), 4, "what else is due for it waits with what has failed");
        let due = async |seconds| {
            let now = idp.clock.now() + TimeDelta::seconds(seconds);
            deliveries::clients_due(&mut idp.db.read().await.unwrap(), now).await.unwrap().len()
        };
        assert_eq!((due(0).await, due(1).await), (0, 1));
    }

    /// None of 30 waits for the next look.
    async fn an_app_with_many_sessions_is_told_of_all_at_once(db) {
        let (idp, apps, _server) = idp_with_apps(db).await;
        sessions_of_alice(&idp, "web", 30).await;
        users::disable(&idp.operator, "alice@example.com", idp.clock.now()).await.unwrap();
        let started = Instant::now();
        apps.wait_for(30).await;
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    }

    async fn an_app_that_may_not_be_asked_is_given_up_at_once(db) {
        let idp = TestIdp::with(db, |config| {
            config.clients[0].backchannel_logout_uri = Some("https://10.0.0.1/logout".to_owned());
        }).await;
        let browser = idp.signed_up("alice").await;
        use_app(&idp, &browser, "web", &[]).await;
        browser.post("/logout/confirm", &[]).await;
        sleep(Duration::from_millis(500)).await;
        let later = idp.clock.now() + TimeDelta::hours(1);
        let owed = deliveries::clients_due(&mut idp.db.read().await.unwrap(), later).await.unwrap();
        assert_eq!(owed, []);
    }

    async fn an_app_that_is_down_is_tried_again_and_one_that_refuses_is_not(db) {
        let (idp, apps, _server) = idp_with_apps(db).await;
        let browser = idp.signed_up("alice").await;
        use_app(&idp, &browser, "web", &[]).await;
        let (down, moved) = (Status::SERVICE_UNAVAILABLE, Status::FOUND);
        apps.answers(&[down, moved, down, down, Status::NO_CONTENT]);
        browser.post("/logout/confirm", &[]).await;
        for (tries, pause) in (1..).zip([1, 5, 30, 120]) {
            apps.wait_for(tries).await;
            idp.clock.advance(TimeDelta::seconds(pause) - TimeDelta::milliseconds(1));
            sleep(Duration::from_millis(1200)).await;
            assert_eq!(apps.told().len(), tries, "not before {pause} seconds have passed");
            idp.clock.advance(TimeDelta::milliseconds(1));
        }
        apps.wait_for(5).await;

        apps.answers(&[Status::BAD_REQUEST]);
        let browser = idp.signed_up("bob").await;
        use_app(&idp, &browser, "web", &[]).await;
        browser.post("/logout/confirm", &[]).await;
        apps.wait_for(6).await;
        idp.clock.advance(TimeDelta::hours(5));
        sleep(Duration::from_millis(1200)).await;
        assert_eq!(apps.told().len(), 6);
        let tokens: BTreeSet<_> = apps.told().iter().map(|(_, token)| claims(&json!(token))["jti"].to_string()).collect();
        assert_eq!(tokens.len(), 6, "each attempt is a token of its own");
    }

    /// Any node may deliver; of any number one does. What a node had taken that is no more is another's.
    async fn each_delivery_is_one_nodes_until_its_lease_ends(db) {
        let (idp, _apps, server) = idp_with_apps(db).await;
        server.shutdown.token.cancel();
        let browser = idp.signed_up("alice").await;
        let mut sessions = Vec::new();
        for app in ["web", "other", "visitor"] {
            sessions.push(claims(&use_app(&idp, &browser, app, &[]).await)["sid"].clone());
        }
        let session = SessionId(sessions[0].as_str().unwrap().parse().unwrap());
        // The clock of these nodes is ahead of that of the idp, which finds nothing due.
        let now = idp.clock.now() + TimeDelta::hours(1);
        let mut tx = idp.db.write().await.unwrap();
        deliveries::insert(&mut tx, session, now).await.unwrap();
        deliveries::insert(&mut tx, session, now).await.unwrap();
        tx.commit().await.unwrap();
        let claim = async |limit, now| {
            let mut claimed = Vec::new();
            let clients = deliveries::clients_due(&mut idp.db.read().await.unwrap(), now).await.unwrap();
            for client in clients {
                let mut tx: Tx = idp.db.write().await.unwrap();
                let lease_ends_at = now + TimeDelta::seconds(30);
                claimed.extend(deliveries::claim(&mut tx, &client, limit, now, lease_ends_at).await.unwrap());
                tx.commit().await.unwrap();
            }
            claimed
        };
        let claimed = futures_util::future::join_all((0..50).map(|_| claim(1, now))).await.concat();
        let names: BTreeSet<&str> = claimed.iter().map(|delivery| delivery.client_id.0.as_str()).collect();
        assert_eq!((claimed.len(), names), (3, BTreeSet::from(["web", "other", "visitor"])));

        assert!(claim(9, now + TimeDelta::seconds(29)).await.is_empty());
        let again = claim(9, now + TimeDelta::seconds(30)).await;
        assert_eq!(again.len(), 3);
        assert!(again.iter().all(|delivery| delivery.attempts == 2));
        // Whoever comes back too late changes nothing.
        let mut tx = idp.db.write().await.unwrap();
        deliveries::postpone(&mut tx, &claimed[0], now).await.unwrap();
        tx.commit().await.unwrap();
        assert!(claim(9, now + TimeDelta::seconds(31)).await.is_empty());
        assert!(claim(9, now + TimeDelta::hours(24)).await.is_empty(), "a day later nobody tries any more");
    }
}
