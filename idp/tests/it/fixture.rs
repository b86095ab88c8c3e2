//! An identity provider with some clients, and browsers that log in to it as people do.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use idp::{
    Config,
    admin::Operator,
    audit::Log,
    config::{ClientConfig, Resource},
    keys::KeyRing,
};
use platform::{
    clock::Clock,
    db::Db,
    server::Shutdown,
    testing::{Cookies, TestDb, TestServer, serve},
};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use url::Url;

pub const PASSWORD: &str = "correct horse battery staple";
pub const SECRET: &str = "lks_a-secret-that-is-only-for-tests-0123456789";
pub const API: &str = "https://api.example";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Where `client`'s answers go.
pub fn redirect_uri(client: &str) -> String {
    format!("https://{client}.example/cb")
}

pub fn code_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// A key directory of its own, holding the one key that this process has made: making one is slow.
fn key_directory() -> TempDir {
    static MADE: LazyLock<TempDir> = LazyLock::new(|| {
        let directory = tempfile::tempdir().unwrap();
        KeyRing::open(directory.path(), Clock::System.now()).unwrap();
        directory
    });
    let directory = tempfile::tempdir().unwrap();
    for key in MADE.path().read_dir().unwrap() {
        let key = key.unwrap();
        std::fs::copy(key.path(), directory.path().join(key.file_name())).unwrap();
    }
    directory
}

pub struct TestIdp {
    pub url: String,
    pub clock: Clock,
    pub http: Client,
    /// The same database, for looking at what was stored.
    pub db: Db,
    pub operator: Operator,
    pub keys: TempDir,
    _server: TestServer,
    _database: TestDb,
}

fn confidential(id: &str, first_party: bool) -> ClientConfig {
    ClientConfig {
        client_id: id.to_owned(),
        name: format!("The {id} app"),
        client_secret: Some(SECRET.into()),
        redirect_uris: vec![redirect_uri(id)],
        post_logout_redirect_uris: vec![format!("https://{id}.example/bye")],
        scope: Some("openid profile email offline_access tasks:read tasks:write".to_owned()),
        audience: API.to_owned(),
        first_party,
        ..ClientConfig::default()
    }
}

/// `web` is first-party, `other` too; `shop` asks for consent; `spa` is public; `robot` acts as itself.
pub fn clients() -> Vec<ClientConfig> {
    vec![
        confidential("web", true),
        confidential("other", true),
        confidential("shop", false),
        ClientConfig {
            token_endpoint_auth_method: Some("client_secret_post".to_owned()),
            ..confidential("poster", true)
        },
        ClientConfig { client_secret: None, ..confidential("spa", true) },
        ClientConfig {
            grant_types: Some(vec!["client_credentials".to_owned()]),
            redirect_uris: Vec::new(),
            scope: Some("openid tasks:read tasks:write".to_owned()),
            ..confidential("robot", false)
        },
    ]
}

impl TestIdp {
    pub async fn new(database: TestDb) -> Self {
        Self::with(database, |_| {}).await
    }

    pub async fn with(database: TestDb, change: impl FnOnce(&mut Config)) -> Self {
        let (listener, url) = TestServer::reserve();
        let keys = key_directory();
        let mut config = Config {
            issuer: url.clone(),
            database_url: database.url.clone(),
            keys_dir: keys.path().to_owned(),
            clients: clients(),
            resources: vec![
                Resource {
                    identifier: API.to_owned(),
                    scopes: vec!["tasks:read".to_owned(), "tasks:write".to_owned()],
                    access_token_lifetime: None,
                },
                Resource {
                    identifier: "https://files.example".to_owned(),
                    scopes: Vec::new(),
                    access_token_lifetime: Some(120),
                },
            ],
            ..Config::default()
        };
        // argon2 is not what is tested here.
        config.passwords.memory = 8;
        config.passwords.iterations = 1;
        change(&mut config);
        let clock = Clock::test();
        let shutdown = Shutdown::default();
        let router = idp::start(config, clock.clone(), &shutdown).await.unwrap();
        let db = Db::open(&database.url, &idp::store::MIGRATIONS).await.unwrap();
        let operator = Operator::new(db.clone(), Log::open(keys.path()).unwrap());
        let http = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            url,
            clock,
            http,
            db,
            operator,
            keys,
            _server: serve(listener, &router, shutdown),
            _database: database,
        }
    }

    /// Another one, at another address, that goes on with this one's database.
    pub async fn restarted(self, change: impl FnOnce(&mut Config)) -> Self {
        drop(self._server);
        Self::with(self._database, change).await
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A browser with nobody logged in.
    pub fn browser(&self) -> Browser<'_> {
        Browser { idp: self, cookies: Cookies::default() }
    }

    /// A browser in which somebody has just signed up.
    pub async fn signed_up(&self, name: &str) -> Browser<'_> {
        let browser = self.browser();
        let answer = browser.sign_up("/signup", name).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
        browser
    }

    /// A code for `client`, of a person who has signed up just now.
    pub async fn code(&self, name: &str, client: &str) -> String {
        self.signed_up(name).await.code(client, &[]).await
    }

    /// A request to the token endpoint in the client's own way; fields with an empty value are left out.
    pub fn token_request(&self, client: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        self.authenticated("/token", client, fields)
    }

    pub fn authenticated(&self, path: &str, client: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut form: Vec<(&str, &str)> =
            fields.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
        let mut request = self.http.post(self.at(path));
        match client {
            "spa" | "tv" => form.push(("client_id", client)),
            "poster" => form.extend([("client_id", client), ("client_secret", SECRET)]),
            _ => request = request.basic_auth(client, Some(SECRET)),
        }
        request.form(&form)
    }

    pub async fn token(&self, client: &str, fields: &[(&str, &str)]) -> (StatusCode, Value) {
        answer(self.token_request(client, fields)).await
    }

    /// Redeems a code as the client that it was made for would; `change` replaces or removes fields.
    pub async fn redeem(&self, client: &str, code: &str, change: &[(&str, &str)]) -> (StatusCode, Value) {
        let redirect_uri = redirect_uri(client);
        let good = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.token(client, &changed(&good, change)).await
    }

    /// All tokens for somebody who has signed up just now.
    pub async fn tokens(&self, name: &str, client: &str) -> Value {
        let code = self.code(name, client).await;
        let (status, tokens) = self.redeem(client, &code, &[]).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        tokens
    }

    pub async fn refresh(&self, client: &str, refresh_token: &Value) -> (StatusCode, Value) {
        let token = refresh_token.as_str().unwrap();
        self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub async fn is_active(&self, client: &str, token: &Value) -> bool {
        let form = [("token", token.as_str().unwrap())];
        let (status, body) = answer(self.authenticated("/introspect", client, &form)).await;
        assert_eq!(status, StatusCode::OK);
        body["active"].as_bool().unwrap()
    }

    pub async fn userinfo(&self, access_token: &Value) -> (StatusCode, Value) {
        answer(self.http.get(self.at("/userinfo")).bearer_auth(access_token.as_str().unwrap())).await
    }
}

/// `good` with some fields replaced, added, or (with an empty value) removed.
pub fn changed<'a>(good: &[(&'a str, &'a str)], change: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = good.iter().copied().filter(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
    kept.chain(change.iter().copied()).filter(|(_, value)| !value.is_empty()).collect()
}

/// Status and JSON body; `null` for an empty one.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// What a refused token request answers.
pub fn refused(error: &str) -> (StatusCode, Value) {
    let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    (status, serde_json::json!({"error": error}))
}

/// The claims of a JWT, unverified.
pub fn claims(token: &Value) -> Value {
    part(token, 1)
}

/// The header of a JWT.
pub fn jwt_header(token: &Value) -> Value {
    part(token, 0)
}

fn part(token: &Value, index: usize) -> Value {
    let part = token.as_str().unwrap().split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A browser without JavaScript: keeps cookies, follows no redirect by itself, says where its posts come from.
pub struct Browser<'a> {
    pub idp: &'a TestIdp,
    pub cookies: Cookies,
}

impl Browser<'_> {
    pub async fn get(&self, path: &str) -> Response {
        self.send(self.idp.http.get(self.absolute(path))).await
    }

    /// Posts a form with the token that the pages of this browser carry.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.form_token().await;
        let mut form = fields.to_vec();
        form.push(("form_token", &token));
        self.send(self.idp.http.post(self.absolute(path)).form(&form).header("origin", &self.idp.url)).await
    }

    /// Posts the form of a page as it was shown: every hidden field, to where the form says, and `more`.
    pub async fn submit(&self, page: Response, more: &[(&str, &str)]) -> Response {
        let html = page.text().await.unwrap();
        let (_, form) = html.split_once("<form").expect("a page with a form");
        let (form, _) = form.split_once("</form>").unwrap();
        let attribute = |tag: &str, name: &str| {
            let (_, rest) =
                tag.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {tag}"));
            rest.split('"').next().unwrap().replace("&#38;", "&")
        };
        let hidden = form.split("<input type=\"hidden\"").skip(1);
        let mut fields: Vec<_> =
            hidden.map(|tag| (attribute(tag, "name"), attribute(tag, "value"))).collect();
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let action = self.absolute(&attribute(form, "action"));
        self.send(self.idp.http.post(action).form(&fields).header("origin", &self.idp.url)).await
    }

    pub async fn send(&self, request: RequestBuilder) -> Response {
        self.cookies.send(request).await.unwrap()
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { self.idp.at(path) }
    }

    pub async fn form_token(&self) -> String {
        let page = self.send(self.idp.http.get(self.idp.at("/login?again"))).await;
        let page = if page.status() == StatusCode::OK { page } else { self.get("/account").await };
        let html = page.text().await.unwrap();
        let (_, rest) = html.split_once("name=\"form_token\" value=\"").expect("a page with a form");
        rest.split('"').next().unwrap().to_owned()
    }

    pub async fn sign_up(&self, path: &str, name: &str) -> Response {
        let email = format!("{name}@example.com");
        let request = request_handle(path);
        let mut fields = vec![("name", name), ("email", &email), ("password", PASSWORD)];
        fields.extend(request.iter().map(|handle| ("request", handle.as_str())));
        self.post(path, &fields).await
    }

    pub async fn log_in(&self, path: &str, name: &str, password: &str) -> Response {
        let email = format!("{name}@example.com");
        let request = request_handle(path);
        let mut fields = vec![("email", email.as_str()), ("password", password)];
        fields.extend(request.iter().map(|handle| ("request", handle.as_str())));
        self.post(path, &fields).await
    }

    /// Asks for a code; `change` replaces or removes parameters. Returns the first answer.
    pub async fn authorize(&self, client: &str, change: &[(&str, &str)]) -> Response {
        let redirect_uri = redirect_uri(client);
        let challenge = code_challenge(VERIFIER);
        let good = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", &redirect_uri),
            ("scope", "openid profile email tasks:read tasks:write"),
            ("state", "a-state"),
            ("nonce", "a-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let url = Url::parse_with_params(&self.idp.at("/authorize"), changed(&good, change)).unwrap();
        self.get(url.as_str()).await
    }

    /// A code for whoever is logged in here.
    pub async fn code(&self, client: &str, change: &[(&str, &str)]) -> String {
        let answer = self.authorize(client, change).await;
        let (_, parameters) = redirected(&answer);
        parameters.get("code").unwrap_or_else(|| panic!("no code: {parameters:?}")).clone()
    }
}

fn request_handle(path: &str) -> Option<String> {
    path.split_once("?request=").map(|(_, handle)| handle.to_owned())
}

/// Where a redirect leads, without its query, and the query.
pub fn redirected(response: &Response) -> (String, BTreeMap<String, String>) {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "not a redirect");
    let location = response.headers()[header::LOCATION].to_str().unwrap();
    let base = Url::parse("http://relative").unwrap();
    let url = base.join(location).unwrap();
    let parameters = url.query_pairs().into_owned().collect();
    (location.split('?').next().unwrap().to_owned(), parameters)
}

/// The place a redirect leads to, as it stands in `Location`.
pub fn location(response: &Response) -> String {
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "not a redirect");
    response.headers()[header::LOCATION].to_str().unwrap().to_owned()
}
