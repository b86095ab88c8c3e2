//! An OpenID provider that owes nothing to Latchkey: its own RSA keys, discovery and JWKS over HTTP.

use std::sync::{
    Arc, LazyLock, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    },
};
use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Redirect},
    routing::get,
};
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
    sign_by(header, claims, |message| {
        SigningKey::<Sha256>::new(key.clone()).sign(message).to_bytes().into_vec()
    })
}

fn sign_by(header: &Value, claims: &Value, signature: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = signature(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A key on an elliptic curve, RFC 7518 §3.4 and RFC 8037.
pub enum CurveKey {
    Ecdsa(&'static str, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl CurveKey {
    /// Of `ES256`, `ES384` or `EdDSA`.
    pub fn generate(algorithm: &str) -> Self {
        let ecdsa = |signing: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::generate(signing).unwrap();
        match algorithm {
            "ES256" => Self::Ecdsa("P-256", ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Self::Ecdsa("P-384", ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            "EdDSA" => Self::Ed25519(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no key for {other}"),
        }
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Ecdsa(curve, key) => {
                // Uncompressed: 0x04, x, y.
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "use": "sig", "kid": kid, "crv": curve, "x": number(x), "y": number(y)})
            }
            Self::Ed25519(key) => {
                json!({"kty": "OKP", "use": "sig", "kid": kid, "crv": "Ed25519", "x": number(key.public_key().as_ref())})
            }
        }
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        sign_by(header, claims, |message| match self {
            Self::Ecdsa(_, key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        })
    }
}

/// How the issuer answers when it is asked for its keys.
#[derive(Clone, Copy, Default)]
pub enum Answers {
    #[default]
    Keys,
    /// 502, as from a proxy whose server is gone.
    Down,
    /// The keys, and more than anybody needs.
    TooMuch,
    /// The keys are somewhere else, it says.
    Elsewhere,
    /// The keys, one day.
    Late,
}

#[derive(Default)]
struct Published {
    keys: Mutex<Vec<Value>>,
    fetches: AtomicUsize,
    answers: Mutex<Answers>,
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
                let keys = published.keys.lock().unwrap().clone();
                let answers = *published.answers.lock().unwrap();
                match answers {
                    Answers::Keys => Json(json!({"keys": keys})).into_response(),
                    Answers::Down => StatusCode::BAD_GATEWAY.into_response(),
                    Answers::TooMuch => {
                        Json(json!({"keys": keys, "more": " ".repeat(256 * 1024)})).into_response()
                    }
                    Answers::Elsewhere => Redirect::temporary("/elsewhere").into_response(),
                    Answers::Late => std::future::pending().await,
                }
            }
        };
        let state = published.clone();
        let elsewhere = move || async move { Json(json!({"keys": *state.keys.lock().unwrap()})) };
        let router = Router::new()
            .route(path, get(move || async move { Json(metadata) }))
            .route("/keys", get(keys))
            .route("/elsewhere", get(elsewhere));
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

    pub fn answer(&self, answers: Answers) {
        *self.published.answers.lock().unwrap() = answers;
    }
}
