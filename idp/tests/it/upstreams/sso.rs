//! An OpenID provider with a key of its own, which says whatever a test wants it to say.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use platform::{
    clock::Clock,
    server::Shutdown,
    testing::{TestServer, serve},
};
use serde_json::{Value, json};
use url::Url;

use crate::{fixture::code_challenge, signer::Key};

/// Making a key takes a while.
static KEY: LazyLock<Key> = LazyLock::new(|| Key::generate("ES256"));
pub static OTHER_KEY: LazyLock<Key> = LazyLock::new(|| Key::generate("ES256"));

pub struct Sso {
    pub id: String,
    pub url: String,
    said: Arc<Said>,
    _server: TestServer,
}

/// What it says, where that is not what it should.
#[derive(Default)]
pub struct Saying {
    /// Members of its metadata.
    pub metadata: Value,
    /// Claims of its ID tokens.
    pub claims: Value,
    /// Members of its ID tokens' header.
    pub header: Value,
    /// What signs them, instead of its own key.
    pub key: Option<&'static Key>,
    /// What its token endpoint says, instead of tokens.
    pub token: Option<(u16, String)>,
    /// What its UserInfo endpoint says.
    pub userinfo: Value,
    /// More parameters of its answers; an empty value removes one.
    pub parameters: Vec<(&'static str, String)>,
}

#[derive(Default)]
struct Said {
    url: String,
    saying: Mutex<Saying>,
    /// What each code was asked for with.
    codes: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    tokens: AtomicUsize,
}

impl Said {
    fn saying(&self) -> MutexGuard<'_, Saying> {
        self.saying.lock().unwrap()
    }
}

/// `base` with the members of `change`; `null` removes one.
fn changed(mut base: Value, change: &Value) -> Value {
    for (name, value) in change.as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().remove(name)),
            value => base[name] = value.clone(),
        }
    }
    base
}

impl Sso {
    pub fn new(id: &str) -> Self {
        let (listener, url) = TestServer::reserve();
        let said = Arc::new(Said { url: url.clone(), ..Said::default() });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(async || Json(json!({"keys": [KEY.jwk("a")]}))))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(said.clone());
        Self { id: id.to_owned(), url, said, _server: serve(listener, &router, Shutdown::default()) }
    }

    /// From now on it says something else.
    pub fn says(&self, change: impl FnOnce(&mut Saying)) {
        let mut saying = self.said.saying();
        *saying = Saying::default();
        change(&mut saying);
    }

    /// Where its answer to an authorization request goes.
    pub fn answer(&self, asked: &Url) -> Url {
        assert!(asked.as_str().starts_with(&format!("{}/authorize?", self.url)), "{asked}");
        let asked: BTreeMap<String, String> = asked.query_pairs().into_owned().collect();
        let code = format!("code-{}", self.said.codes.lock().unwrap().len());
        let mut answer = BTreeMap::from([("code", code.clone()), ("state", asked["state"].clone())]);
        answer.extend(self.said.saying().parameters.iter().cloned());
        answer.retain(|_, value| !value.is_empty());
        let to = Url::parse_with_params(&asked["redirect_uri"], answer).unwrap();
        self.said.codes.lock().unwrap().insert(code, asked);
        to
    }

    /// How often its token endpoint was asked.
    pub fn redeemed(&self) -> usize {
        self.said.tokens.load(Ordering::SeqCst)
    }
}

async fn metadata(State(said): State<Arc<Said>>) -> Json<Value> {
    let url = &said.url;
    let good = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/keys"),
    });
    Json(changed(good, &said.saying().metadata))
}

async fn token(
    State(said): State<Arc<Said>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    said.tokens.fetch_add(1, Ordering::SeqCst);
    let asked = said.codes.lock().unwrap().remove(&form["code"]);
    let Some(asked) = asked else {
        return (StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#).into_response();
    };
    assert_eq!(form["redirect_uri"], asked["redirect_uri"]);
    assert_eq!(code_challenge(&form["code_verifier"]), asked["code_challenge"]);
    assert_eq!(headers.contains_key("authorization"), !form.contains_key("client_secret"));
    let saying = said.saying();
    if let Some((status, text)) = &saying.token {
        return (StatusCode::from_u16(*status).unwrap(), text.clone()).into_response();
    }
    let now = Clock::System.now().timestamp();
    let good = json!({
        "iss": said.url, "sub": "alice-1", "aud": "downstream", "nonce": asked["nonce"], "iat": now, "exp": now + 86400,
        "name": "Alice", "email": "alice@sso.example", "email_verified": true,
    });
    let header = changed(json!({"alg": "ES256", "kid": "a"}), &saying.header);
    let id_token = saying.key.unwrap_or(&KEY).sign(&header, &changed(good, &saying.claims));
    Json(json!({"access_token": "at", "token_type": "Bearer", "id_token": id_token})).into_response()
}

async fn userinfo(State(said): State<Arc<Said>>, headers: HeaderMap) -> Response {
    assert_eq!(headers["authorization"], "Bearer at");
    Json(said.saying().userinfo.clone()).into_response()
}
