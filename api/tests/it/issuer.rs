//! An OpenID provider that owes nothing to Latchkey: its own RSA keys, discovery and JWKS over HTTP.

use std::sync::{
    Arc, LazyLock, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::{
    server::Shutdown,
    testing::{TestServer, serve},
};
use rsa::{
    RsaPrivateKey, pkcs1v15::SigningKey, pkcs8::EncodePublicKey, sha2::Sha256, signature::SignatureEncoding,
    signature::Signer, traits::PublicKeyParts,
};
use serde_json::{Value, json};

/// A few keys for all tests: making one takes a tenth of a second.
static KEYS: LazyLock<[RsaPrivateKey; 2]> = LazyLock::new(|| {
    std::array::from_fn(|_| RsaPrivateKey::new(&mut rand08::thread_rng(), 2048).expect("a key"))
});

pub fn key(index: usize) -> &'static RsaPrivateKey {
    &KEYS[index]
}

pub fn public_pem(key: &RsaPrivateKey) -> String {
    key.to_public_key().to_public_key_pem(rsa::pkcs8::LineEnding::LF).unwrap()
}

pub fn public_der(key: &RsaPrivateKey) -> Vec<u8> {
    key.to_public_key().to_public_key_der().unwrap().into_vec()
}

pub fn jwk(kid: &str, key: &RsaPrivateKey) -> Value {
    let number = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": number(key.n()), "e": number(key.e())})
}

pub fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A JWT signed with RS256, whatever its header says.
pub fn sign(header: &Value, claims: &Value, key: &RsaPrivateKey) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = SigningKey::<Sha256>::new(key.clone()).sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

#[derive(Default)]
struct Published {
    keys: Mutex<Vec<Value>>,
    fetches: AtomicUsize,
    down: Mutex<bool>,
}

pub struct Issuer {
    pub url: String,
    published: Arc<Published>,
    _server: TestServer,
}

impl Issuer {
    /// Publishes one key, `first`.
    pub fn start() -> Self {
        Self::start_with_metadata_at("/.well-known/openid-configuration")
    }

    pub fn start_with_metadata_at(path: &str) -> Self {
        let (listener, url) = TestServer::reserve();
        let published = Arc::new(Published::default());
        published.keys.lock().unwrap().push(jwk("first", key(0)));
        let metadata = json!({"issuer": url, "jwks_uri": format!("{url}/keys"), "unknown": {"member": true}});
        let state = published.clone();
        let keys = move || {
            let published = state.clone();
            async move {
                published.fetches.fetch_add(1, Ordering::SeqCst);
                if *published.down.lock().unwrap() {
                    return StatusCode::BAD_GATEWAY.into_response();
                }
                let keys = published.keys.lock().unwrap().clone();
                Json(json!({"keys": keys})).into_response()
            }
        };
        let router =
            Router::new().route(path, get(move || async move { Json(metadata) })).route("/keys", get(keys));
        let server = serve(listener, &router, Shutdown::default());
        Self { url, published, _server: server }
    }

    /// How often the keys were asked for.
    pub fn fetches(&self) -> usize {
        self.published.fetches.load(Ordering::SeqCst)
    }

    pub fn publish(&self, keys: Vec<Value>) {
        *self.published.keys.lock().unwrap() = keys;
    }

    pub fn set_down(&self, down: bool) {
        *self.published.down.lock().unwrap() = down;
    }
}
