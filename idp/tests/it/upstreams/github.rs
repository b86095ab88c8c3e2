//! GitHub, or a server that speaks as it does.

use std::sync::{Arc, Mutex};

use axum::{
    Form, Json, Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use idp::config::{Upstream, UpstreamKind};
use platform::{
    on_each_database,
    server::Shutdown,
    testing::{TestDb, TestServer, serve},
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{idp_with, leads_to, refused, upstream};
use crate::fixture::{Browser, SECRET, TestIdp};

/// What its API says: the user, their addresses, and the answer to a code.
type Said = Arc<Mutex<[Value; 3]>>;

async fn api(headers: &HeaderMap, said: Value) -> Json<Value> {
    assert_eq!(headers["authorization"], "Bearer gho_x");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("latchkey"), "GitHub demands one");
    Json(said)
}

async fn token(State(said): State<Said>, headers: HeaderMap, Form(form): Form<Value>) -> Json<Value> {
    assert_eq!(headers["accept"], "application/json");
    assert_eq!((&form["client_id"], &form["client_secret"]), (&json!("downstream"), &json!(SECRET)));
    Json(said.lock().unwrap()[2].clone())
}

async fn idp_and_github(db: TestDb) -> (TestIdp, Said, TestServer) {
    let user = json!({"id": 583231, "login": "octocat", "name": "Mona", "email": "typed@example.com"});
    let addresses = json!([
        {"email": "old@example.com", "primary": false, "verified": true},
        {"email": "mona@example.com", "primary": true, "verified": true},
    ]);
    let tokens = json!({"access_token": "gho_x", "token_type": "bearer", "scope": "read:user,user:email"});
    let said: Said = Arc::new(Mutex::new([user, addresses, tokens]));
    let said_of = |index: usize| {
        async move |State(said): State<Said>, headers: HeaderMap| {
            let said = said.lock().unwrap()[index].clone();
            api(&headers, said).await
        }
    };
    let router = Router::new()
        .route("/login/oauth/access_token", post(token))
        .route("/api/v3/user", get(said_of(0)))
        .route("/api/v3/user/emails", get(said_of(1)))
        .with_state(said.clone());
    let (listener, url) = TestServer::reserve();
    let server = serve(listener, &router, Shutdown::default());
    let github = Upstream { kind: UpstreamKind::GitHub, ..upstream("github", &url) };
    (idp_with(db, vec![github], |_| {}).await, said, server)
}

/// Comes back from GitHub with a code.
async fn come(browser: &Browser<'_>) -> Response {
    let asked = browser.sent_to("github", &[]).await;
    assert!(asked.path().ends_with("/login/oauth/authorize"));
    let find = |name: &str| asked.query_pairs().find(|(have, _)| have == name).unwrap().1.into_owned();
    assert_eq!(find("scope"), "read:user user:email");
    let answer = [("code", "a-code".to_owned()), ("state", find("state"))];
    browser.get(Url::parse_with_params(&find("redirect_uri"), answer).unwrap().as_str()).await
}

on_each_database! {
    async fn people_of_github_are_known_by_their_number(db) {
        let (idp, said, _server) = idp_and_github(db).await;
        let browser = idp.browser();
        let place = leads_to(come(&browser).await).await;
        let page = browser.get(&place).await;
        let made = browser.submit(page, &[("name", "Mona")]).await;
        assert_eq!(made.status(), StatusCode::SEE_OTHER);
        assert_eq!(browser.who().await.as_deref(), Some("mona@example.com"), "the primary address, not the typed one");

        said.lock().unwrap()[0]["login"] = "renamed".into();
        said.lock().unwrap()[1] = json!("not asked for");
        let other = idp.browser();
        assert_eq!(leads_to(come(&other).await).await, "/account");
        assert_eq!(other.who().await.as_deref(), Some("mona@example.com"));

        said.lock().unwrap()[0] = json!({"id": 7, "login": "octocat", "name": null});
        let namesake = idp.browser();
        assert_eq!(refused(come(&namesake).await).await.0, 502, "a name is nobody's identity");
    }

    async fn an_address_that_github_has_not_verified_proves_nothing(db) {
        let (idp, said, _server) = idp_and_github(db).await;
        idp.signed_up("victim").await;
        said.lock().unwrap()[1] = json!([{"email": "victim@example.com", "primary": true, "verified": false}]);
        let browser = idp.browser();
        let place = leads_to(come(&browser).await).await;
        assert!(place.starts_with("/signup/upstream"), "{place}: nobody is told that there is a victim");
        let page = browser.get(&place).await;
        let email = [("name", "Mallory"), ("email", "victim@example.com")];
        assert_eq!(browser.submit(page, &email).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(browser.who().await, None);
    }

    async fn what_github_refuses_lets_nobody_in(db) {
        let (idp, said, _server) = idp_and_github(db).await;
        for (index, wrong) in [
            (2, json!({"error": "bad_verification_code"})),
            (0, json!({"id": "583231", "login": "octocat"})),
            (0, json!({"login": "octocat"})),
            (1, json!({"message": "Not Found"})),
        ] {
            let good = std::mem::replace(&mut said.lock().unwrap()[index], wrong.clone());
            assert_eq!(refused(come(&idp.browser()).await).await.0, 502, "{wrong}");
            said.lock().unwrap()[index] = good;
        }
    }
}
