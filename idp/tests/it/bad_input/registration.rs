//! Dynamic registration: metadata of every shape (RFC 7591 §3.2.2, RFC 7592).

use idp::config::Registration;
use platform::on_each_database;
use reqwest::{RequestBuilder, header};
use serde_json::{Value, json};
use url::Url;

use super::{
    dice::Dice,
    seed,
    values::{BYTES, PLACES, TEXTS, WORDS, jwt, value},
};
use crate::fixture::TestIdp;

const CASES: usize = 400;
/// RFC 7591 §2, and specifications that add to it.
const MEMBERS: [&str; 26] = [
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "client_name",
    "client_name#de",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "jwks",
    "jwks_uri",
    "software_id",
    "software_statement",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "id_token_signed_response_alg",
    "subject_type",
    "default_max_age",
    "request_uris",
    "dpop_bound_access_tokens",
    "client_id",
    "first_party",
];
const ERRORS: [&str; 2] = ["invalid_redirect_uri", "invalid_client_metadata"];

fn good() -> Value {
    json!({"redirect_uris": ["https://late.example/cb"], "client_name": "Late"})
}

fn member(dice: &mut Dice) -> Value {
    let text = match dice.below(5) {
        0 => dice.pick(&PLACES).to_owned(),
        1 => dice.pick(&WORDS).to_owned(),
        2 => dice.pick(&TEXTS).to_owned(),
        3 => jwt(dice),
        _ => String::from_utf8_lossy(dice.pick(&BYTES)).into_owned(),
    };
    match dice.below(6) {
        0 => json!(text),
        1 | 2 => json!([text]),
        3 => json!({"keys": [{"kty": "RSA", "n": text, "e": "AQAB", "kid": value(dice, 2)}]}),
        4 => json!(text.repeat(300)),
        _ => value(dice, 0),
    }
}

/// The answer, if it is one that may be given to something that is perhaps no metadata.
async fn judged(request: RequestBuilder, sent: &str) -> Value {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.unwrap();
    let shown = format!("LATCHKEY_SEED={}: {sent}: {status} {headers:?} {body}", seed());
    assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{shown}");
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {shown}"));
    match status {
        200 | 201 => assert!(is_safe(&body), "{shown}"),
        400 => {
            assert!(ERRORS.iter().any(|error| body["error"] == *error), "{shown}");
            // RFC 6749 §5.2.
            let description = body["error_description"].as_str().unwrap_or_default();
            let printable = |byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
            assert!(description.bytes().all(printable), "{shown}");
        }
        413 => assert_eq!(body["error"], "invalid_request", "{shown}"),
        _ => panic!("{shown}"),
    }
    body
}

/// Nobody is ever sent to where a script would run, and nobody makes themselves ours.
fn is_safe(registered: &Value) -> bool {
    let lists = ["redirect_uris", "post_logout_redirect_uris"].map(|name| registered[name].as_array());
    let mut uris =
        lists.into_iter().flatten().flatten().map(|uri| Url::parse(uri.as_str().unwrap()).unwrap());
    let safe = |uri: &Url| matches!(uri.scheme(), "http" | "https") || uri.scheme().contains('.');
    registered["first_party"].is_null()
        && uris.all(|uri| safe(&uri) && uri.fragment().is_none() && uri.username().is_empty())
}

on_each_database! {
    async fn whatever_an_app_says_of_itself_is_registered_or_refused_as_specified(db) {
        let idp = TestIdp::with(db, |config| {
            config.registration = Registration::Open;
            config.throttle.per_network = u32::MAX;
        }).await;
        let register = || idp.http.post(idp.at("/register"));
        let client = judged(register().json(&good()), "good").await;
        let uri = client["registration_client_uri"].as_str().unwrap();
        let token = client["registration_access_token"].as_str().unwrap();
        let replace = |mut metadata: Value| {
            metadata["client_id"] = client["client_id"].clone();
            idp.http.put(uri).bearer_auth(token).json(&metadata)
        };
        let mut dice = Dice::of(seed(), "register");
        for _ in 0..CASES {
            let mut metadata = good();
            for _ in 0..=dice.below(2) {
                metadata[dice.pick(&MEMBERS)] = member(&mut dice);
            }
            let shown = metadata.to_string();
            judged(register().json(&metadata), &shown).await;
            judged(replace(metadata), &shown).await;
        }
        let deep = "[".repeat(9000);
        for body in [&b""[..], b"{", b"[]", b"null", b"\"\"", b"\xff", b"{\"a\":1,\"a\":2", deep.as_bytes(), &[b' '; 70_000]] {
            let shown = body.escape_ascii().to_string();
            judged(register().header(header::CONTENT_TYPE, "application/json").body(body.to_vec()), &shown).await;
            judged(register().body(body.to_vec()), &shown).await;
        }
        for id in ["%00", "%ff", "web", "a%20b", "..%2f", "%F0%9F%98%80", &"x".repeat(9000)] {
            for token in [token, "", "x"] {
                let foreign = idp.http.get(idp.at(&format!("/register/{id}"))).bearer_auth(token);
                let answer = foreign.send().await.unwrap();
                assert_eq!(answer.status(), 401, "{id}");
                assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store", "{id}");
            }
        }
        let again = judged(replace(good()), "a good request afterwards").await;
        assert_eq!(again["client_name"], "Late");
    }
}
