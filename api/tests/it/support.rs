//! A task API that trusts an [`Issuer`], and tokens to call it with.

use api::Config;
use platform::{
    clock::Clock,
    server::Shutdown,
    testing::{TestDb, TestServer, serve},
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::issuer::{self, Issuer};

pub struct TestApi {
    pub url: String,
    pub issuer: Issuer,
    pub clock: Clock,
    pub http: reqwest::Client,
    /// Of the user "alice", with both scopes.
    pub token: String,
    _server: TestServer,
    db: TestDb,
}

impl TestApi {
    pub async fn new(db: TestDb) -> Self {
        Self::with(db, Issuer::start(), |_| {}).await
    }

    pub async fn with(db: TestDb, issuer: Issuer, configure: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::test();
        let (listener, url) = TestServer::reserve();
        let mut config = Config {
            public_url: url.clone(),
            issuer: issuer.url.clone(),
            database_url: db.url.clone(),
            ..Config::default()
        };
        configure(&mut config);
        let shutdown = Shutdown::default();
        let router = api::start(config, clock.clone(), &shutdown).await.expect("the API starts");
        let server = serve(listener, &router, shutdown);
        let mut api = Self {
            url,
            issuer,
            clock,
            http: reqwest::Client::new(),
            token: String::new(),
            _server: server,
            db,
        };
        api.token = api.token_of("alice", "tasks:read tasks:write");
        api
    }

    pub fn database_url(&self) -> String {
        self.db.url.clone()
    }

    /// What a good token of alice's says.
    pub fn claims(&self) -> Value {
        let now = self.clock.now().timestamp();
        json!({
            "iss": self.issuer.url, "sub": "alice", "aud": self.url, "client_id": "app", "jti": "1",
            "scope": "tasks:read tasks:write", "iat": now, "exp": now + 900,
        })
    }

    pub fn header() -> Value {
        json!({"typ": "at+jwt", "alg": "RS256", "kid": "first"})
    }

    pub fn sign(&self, claims: &Value) -> String {
        issuer::sign(&Self::header(), claims, issuer::key(0))
    }

    pub fn token_of(&self, subject: &str, scope: &str) -> String {
        let mut claims = self.claims();
        claims["sub"] = subject.into();
        claims["scope"] = scope.into();
        self.sign(&claims)
    }

    /// A request as alice.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Response {
        self.request(method, path).json(body).send().await.unwrap()
    }

    /// A new task of alice's.
    pub async fn create(&self, body: Value) -> Value {
        let response = self.send(Method::POST, "/api/me/tasks", &body).await;
        assert_eq!(response.status(), 201, "{body}");
        response.json().await.unwrap()
    }

    /// The status of `GET /api/me/tasks` with this token.
    pub async fn status_with(&self, token: &str) -> u16 {
        let request = self.http.get(format!("{}/api/me/tasks", self.url)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    }
}

pub fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// A refusal, checked to be problem details; yields the fields that it names.
pub async fn problem(response: Response, status: u16) -> Vec<String> {
    assert_eq!(response.status(), status);
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    let request_id = header(&response, "x-request-id").to_owned();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"], request_id);
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}
