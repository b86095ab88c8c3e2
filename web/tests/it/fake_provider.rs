//! An OpenID provider that logs in whoever comes, and can be told to get one thing wrong.

use std::sync::{Arc, LazyLock, Mutex};

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use platform::{
    clock::Clock,
    secret::{self, ExposeSecret},
    testing::{TestServer, serve},
};
use rsa::{
    RsaPrivateKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding},
    traits::PublicKeyParts,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// What to get wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    // In the authorization response:
    IssMissing,
    IssOther,
    NoCode,
    Error(&'static str),
    // At the token endpoint:
    NoIdToken,
    Nonce,
    NonceMissing,
    Audience,
    OtherAudienceToo,
    Issuer,
    Expired,
    AtHash,
    OtherKey,
    AlgNone,
    Hs256,
    InvalidGrant,
    InvalidClient,
    /// 503, as often.
    Fails(usize),
    // Elsewhere:
    NoUserInfo,
    UserInfoOfAnother,
}

static KEYS: LazyLock<[RsaPrivateKey; 2]> =
    LazyLock::new(|| [(); 2].map(|()| RsaPrivateKey::new(&mut rand08::rngs::OsRng, 2048).unwrap()));

pub(crate) struct FakeProvider {
    pub(crate) url: String,
    pub(crate) state: Op,
    pub(crate) server: TestServer,
}

#[derive(Clone)]
pub(crate) struct Op(Arc<Mutex<Known>>);

pub(crate) struct Known {
    issuer: String,
    clock: Clock,
    pub(crate) fault: Fault,
    /// Which of the keys signs, and is published.
    pub(crate) key: usize,
    /// The parameters of the last authorization request.
    pub(crate) asked: HashMap<String, String>,
    codes: HashMap<String, HashMap<String, String>>,
    pub(crate) refreshes: usize,
    pub(crate) token_requests: usize,
    pub(crate) discoveries: usize,
    refresh_token: String,
    pub(crate) access_tokens: Vec<String>,
    /// When and how people log in; `None` is now.
    pub(crate) auth_time: Option<i64>,
    pub(crate) acr: &'static str,
}

pub(crate) fn start(clock: &Clock) -> FakeProvider {
    let (listener, url) = TestServer::reserve();
    let known = Known {
        issuer: url.clone(),
        clock: clock.clone(),
        fault: Fault::None,
        key: 0,
        asked: HashMap::new(),
        codes: HashMap::new(),
        refreshes: 0,
        token_requests: 0,
        discoveries: 0,
        refresh_token: String::new(),
        access_tokens: Vec::new(),
        auth_time: None,
        acr: "urn:a",
    };
    let state = Op(Arc::new(Mutex::new(known)));
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/userinfo", get(userinfo))
        .with_state(state.clone());
    FakeProvider { server: serve(listener, &router, Default::default()), url, state }
}

impl Op {
    pub(crate) fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap()
    }
}

impl Known {
    /// A JWT of the provider's, with this `typ`.
    pub(crate) fn sign(&self, typ: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.typ = typ.map(str::to_owned);
        header.kid = Some(self.key.to_string());
        let pem = KEYS[self.key].to_pkcs8_pem(LineEnding::LF).unwrap();
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }
}

async fn discovery(State(op): State<Op>) -> Json<Value> {
    let mut known = op.known();
    known.discoveries += 1;
    let issuer = &known.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "end_session_endpoint": format!("{issuer}/logout"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "HS256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn jwks(State(op): State<Op>) -> Json<Value> {
    let number = op.known().key;
    let key = &KEYS[number];
    let number_text = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    Json(json!({ "keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": number.to_string(),
        "n": number_text(key.n()), "e": number_text(key.e()),
    }]}))
}

async fn authorize(State(op): State<Op>, Query(asked): Query<HashMap<String, String>>) -> Redirect {
    let mut known = op.known();
    let code = secret::generate("lkc_").expose_secret().to_owned();
    let mut answer = vec![("state", asked["state"].clone())];
    match known.fault {
        Fault::IssMissing => {}
        Fault::IssOther => answer.push(("iss", "https://evil.example".into())),
        _ => answer.push(("iss", known.issuer.clone())),
    }
    match known.fault {
        Fault::Error(error) => {
            answer.push(("error", error.into()));
            answer.push(("error_description", "<b>reflected</b>".into()));
        }
        Fault::NoCode => {}
        _ => answer.push(("code", code.clone())),
    }
    known.codes.insert(code, asked.clone());
    let mut to = url::Url::parse(&asked["redirect_uri"]).unwrap();
    to.query_pairs_mut().extend_pairs(answer);
    known.asked = asked;
    Redirect::to(to.as_str())
}

fn refused(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

async fn token(
    State(op): State<Op>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    tokio::time::sleep(std::time::Duration::from_millis(30)).await; // time for others to ask as well
    let mut known = op.known();
    known.token_requests += 1;
    let basic = base64::engine::general_purpose::STANDARD.encode("latchkey-web:s3cret%2F%3A");
    assert_eq!(headers[header::AUTHORIZATION].to_str().unwrap(), format!("Basic {basic}"));
    assert!(form.contains_key("resource"));
    match &mut known.fault {
        Fault::Fails(0) => known.fault = Fault::None,
        Fault::Fails(times) => {
            *times -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Fault::InvalidGrant => return refused("invalid_grant"),
        Fault::InvalidClient => return refused("invalid_client"),
        _ => {}
    }
    let nonce = if form["grant_type"] == "refresh_token" {
        if form["refresh_token"] != known.refresh_token {
            return refused("invalid_grant");
        }
        known.refreshes += 1;
        None
    } else {
        let Some(asked) = known.codes.remove(&form["code"]) else { return refused("invalid_grant") };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
        assert_eq!(asked["code_challenge"], challenge);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["redirect_uri"], form["redirect_uri"]);
        Some(asked["nonce"].clone())
    };
    let access_token = secret::generate("at.").expose_secret().to_owned();
    known.refresh_token = secret::generate("lkr_").expose_secret().to_owned();
    known.access_tokens.push(access_token.clone());
    let mut answer = json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 900,
        "refresh_token": known.refresh_token, "scope": "openid tasks:read tasks:write",
    });
    if known.fault != Fault::NoIdToken {
        answer["id_token"] = id_token(&known, nonce, &access_token).into();
    }
    Json(answer).into_response()
}

fn id_token(known: &Known, nonce: Option<String>, access_token: &str) -> String {
    let now = known.clock.now().timestamp();
    let half = |text: &str| URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16]);
    let mut claims = json!({
        "iss": known.issuer, "sub": "alice", "aud": "latchkey-web", "iat": now, "exp": now + 3600,
        "at_hash": half(access_token), "sid": format!("session-{}", known.token_requests - known.refreshes),
    });
    claims["auth_time"] = known.auth_time.unwrap_or(now).into();
    claims["acr"] = known.acr.into();
    if let Some(nonce) = nonce {
        claims["nonce"] = nonce.into();
    }
    match known.fault {
        Fault::Nonce => claims["nonce"] = "another".into(),
        Fault::NonceMissing => drop(claims.as_object_mut().unwrap().remove("nonce")),
        Fault::Audience => claims["aud"] = "another".into(),
        Fault::OtherAudienceToo => claims["aud"] = json!(["latchkey-web", "another"]),
        Fault::Issuer => claims["iss"] = "https://evil.example".into(),
        Fault::Expired => claims["exp"] = (now - 1).into(),
        Fault::AtHash => claims["at_hash"] = half("another").into(),
        _ => {}
    }
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(known.key.to_string());
    let key = &KEYS[if known.fault == Fault::OtherKey { 1 - known.key } else { known.key }];
    match known.fault {
        Fault::AlgNone => {
            let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", encode(&json!({"alg": "none"})), encode(&claims))
        }
        Fault::Hs256 => {
            header.alg = Algorithm::HS256;
            let public = key.to_public_key().to_public_key_pem(LineEnding::LF).unwrap();
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap()
        }
        _ => {
            let pem = key.to_pkcs8_pem(LineEnding::LF).unwrap();
            let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
            jsonwebtoken::encode(&header, &claims, &key).unwrap()
        }
    }
}

async fn userinfo(State(op): State<Op>) -> Response {
    match op.known().fault {
        Fault::NoUserInfo => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Fault::UserInfoOfAnother => Json(json!({ "sub": "mallory", "name": "Mallory" })).into_response(),
        _ => {
            Json(json!({ "sub": "alice", "name": "Alice <A>", "email": "alice@example.com" })).into_response()
        }
    }
}
