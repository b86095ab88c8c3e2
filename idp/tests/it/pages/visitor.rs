//! A place with people, and a browser that keeps cookies and posts the forms it was shown.

use axum::http::{HeaderMap, StatusCode, header};
use idp::{Config, store};
use platform::{
    clock::Clock,
    db::{Db, Tx},
    server::Shutdown,
    testing::{Cookies, TestDb, TestServer, serve},
};

pub const EMAIL: &str = "alice@example.com";
pub const PASSWORD: &str = "correct horse battery staple";

/// A running identity provider.
pub struct Place {
    pub clock: Clock,
    pub config: Config,
    server: TestServer,
    _keys: tempfile::TempDir,
    /// Its database lives as long.
    _db: TestDb,
}

/// A browser, in a network of its own when it has one.
#[derive(Clone)]
pub struct Visitor {
    http: reqwest::Client,
    origin: String,
    pub cookies: Cookies,
    pub form_token: String,
    pub network: Option<&'static str>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Place {
    pub async fn new(db: TestDb) -> Self {
        Self::with(db, |_| {}).await
    }

    pub async fn with(db: TestDb, change: impl FnOnce(&mut Config)) -> Self {
        let (listener, url) = TestServer::reserve();
        let keys = tempfile::tempdir().unwrap();
        let mut config = Config {
            issuer: url,
            database_url: db.url.clone(),
            keys_dir: keys.path().to_owned(),
            name: "Test Place".to_owned(),
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            ..Config::default()
        };
        config.passwords.memory = 8;
        config.passwords.iterations = 1;
        change(&mut config);
        let (clock, shutdown) = (Clock::test(), Shutdown::default());
        let router = idp::start(config.clone(), clock.clone(), &shutdown).await.unwrap();
        let server = serve(listener, &router, shutdown);
        Self { clock, config, server, _keys: keys, _db: db }
    }

    /// Stops this node and starts another one on the same database and keys.
    pub async fn restart(self, change: impl FnOnce(&mut Config)) -> Self {
        let (listener, url) = TestServer::reserve();
        let mut config = Config { issuer: url, ..self.config };
        change(&mut config);
        let shutdown = Shutdown::default();
        let router = idp::start(config.clone(), self.clock.clone(), &shutdown).await.unwrap();
        let server = serve(listener, &router, shutdown);
        Self { config, server, ..self }
    }

    pub fn visitor(&self) -> Visitor {
        Visitor {
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            origin: self.server.url.clone(),
            cookies: Cookies::default(),
            form_token: String::new(),
            network: None,
        }
    }

    /// A visitor from a network of its own.
    pub fn visitor_from(&self, network: &'static str) -> Visitor {
        Visitor { network: Some(network), ..self.visitor() }
    }

    /// Alice, who has just made her account.
    pub async fn alice(&self) -> Visitor {
        let mut alice = self.visitor_from("192.0.2.1");
        alice.get("/signup").await;
        let form = [("name", "Alice"), ("email", EMAIL), ("password", PASSWORD)];
        let answer = alice.post("/signup", &form).await;
        assert_eq!(answer.location(), "/account", "{}", answer.body);
        alice
    }

    pub async fn tx(&self) -> Tx {
        let db = Db::open(&self.config.database_url, &store::MIGRATIONS).await.unwrap();
        db.write().await.unwrap()
    }

    /// As an operator does.
    pub async fn disable(&self, email: &str) {
        let mut tx = self.tx().await;
        let user = store::users::find_by_email(&mut tx, email).await.unwrap().unwrap();
        store::users::set_disabled(&mut tx, user.id, Some(self.clock.now())).await.unwrap();
        tx.commit().await.unwrap();
    }
}

impl Visitor {
    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.origin));
        self.send(request).await
    }

    /// Posts a form as our own page would.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.form_token.clone();
        let fields = [&[("form_token", token.as_str())], fields].concat();
        let request = self.request(path).form(&fields);
        self.send(request).await
    }

    /// A bare POST, for those who are up to something.
    pub fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.origin))
    }

    pub async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Answer {
        if let Some(network) = self.network {
            request = request.header("x-forwarded-for", network);
        }
        let response = self.cookies.send(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await.unwrap();
        if let Some((_, rest)) = body.split_once("name=\"form_token\" value=\"") {
            self.form_token = rest.split('"').next().unwrap().to_owned();
        }
        Answer { status, headers, body }
    }

    pub async fn log_in(&mut self, email: &str, password: &str) -> Answer {
        if self.form_token.is_empty() {
            self.get("/login").await;
        }
        self.post("/login", &[("email", email), ("password", password)]).await
    }

    /// Whether the account page lets this browser in.
    pub async fn is_logged_in(&mut self) -> bool {
        self.get("/account").await.status == StatusCode::OK
    }

    pub fn session(&self) -> Option<String> {
        self.cookies.get("latchkey_idp_session")
    }
}

impl Answer {
    pub fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn location(&self) -> &str {
        self.header(header::LOCATION)
    }

    /// All that an onlooker could tell answers apart by: without what is random or was typed.
    pub fn traits(&self, typed: &str) -> String {
        let mut headers: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id", "content-length"].contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}", mask(value.to_str().unwrap(), "nonce-", '\'')))
            .collect();
        headers.sort();
        let body = mask(&self.body, "nonce=\"", '"').replace(typed, "…");
        let body = mask(&body, "Reference: <code>", '<');
        format!("{}\n{}\n{body}", self.status, headers.join("\n"))
    }
}

fn mask(text: &str, after: &str, until: char) -> String {
    match text.split_once(after) {
        Some((before, rest)) => {
            let (_, rest) = rest.split_once(until).unwrap();
            format!("{before}{after}…{rest}")
        }
        None => text.to_owned(),
    }
}
