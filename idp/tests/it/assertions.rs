//! Client authentication by `private_key_jwt`: RFC 7523, OpenID Connect Core §9.

use idp::config::ClientConfig;
use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    fixture::{API, TestIdp, answer, claims, refused},
    signer::Key,
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `bank` and `other-bank` authenticate with their keys.
async fn idp_with(db: platform::testing::TestDb, keys: &[&Key]) -> TestIdp {
    TestIdp::with(db, |config| {
        for (index, (id, key)) in ["bank", "other-bank"].iter().zip(keys).enumerate() {
            config.clients.push(ClientConfig {
                client_id: (*id).to_owned(),
                client_secret: None,
                jwks: Some(json!({"keys": [key.jwk(&format!("key-{index}"))]})),
                token_endpoint_auth_method: None,
                grant_types: Some(vec!["client_credentials".to_owned(), "authorization_code".to_owned()]),
                ..config.clients[0].clone()
            });
        }
    })
    .await
}

pub fn good(idp: &TestIdp, jti: &str) -> Value {
    let now = idp.clock.now().timestamp();
    json!({"iss": "bank", "sub": "bank", "aud": idp.url, "jti": jti, "iat": now, "exp": now + 60})
}

pub async fn present(idp: &TestIdp, assertion: &str, more: &[(&str, &str)]) -> (StatusCode, Value) {
    let mut form = vec![("grant_type", "client_credentials"), ("scope", "tasks:read")];
    form.extend([("client_assertion_type", TYPE), ("client_assertion", assertion)]);
    form.extend(more);
    answer(idp.http.post(idp.at("/token")).form(&form)).await
}

on_each_database! {
    async fn a_client_proves_itself_with_its_key(db) {
        for algorithm in ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"] {
            let key = Key::generate(algorithm);
            let url = db.url.clone();
            let db = if url.starts_with("sqlite") { platform::testing::sqlite() } else { platform::testing::postgres().await.unwrap() };
            let idp = idp_with(db, &[&key]).await;
            let mut header = json!({"alg": algorithm, "kid": "key-0"});
            let (status, tokens) = present(&idp, &key.sign(&header, &good(&idp, "1")), &[]).await;
            assert_eq!(status, StatusCode::OK, "{algorithm}: {tokens}");
            let access = claims(&tokens["access_token"]);
            assert_eq!((&access["sub"], &access["aud"]), (&json!("bank"), &json!(API)));

            header["typ"] = json!("application/client-authentication+jwt");
            let mut fractional = good(&idp, "fraction");
            fractional["exp"] = json!(fractional["exp"].as_i64().unwrap() as f64 + 0.5);
            assert_eq!(present(&idp, &key.sign(&header, &fractional), &[]).await.0, StatusCode::OK, "RFC 7519 §2");

            // Without a kid, and for the token endpoint by its address.
            header.as_object_mut().unwrap().remove("kid");
            let mut claims = good(&idp, "2");
            claims["aud"] = json!([idp.at("/token")]);
            assert_eq!(present(&idp, &key.sign(&header, &claims), &[("client_id", "bank")]).await.0, StatusCode::OK);
            for path in ["/introspect", "/revoke", "/par"] {
                let assertion = key.sign(&header, &good(&idp, path));
                let form = [("token", "x"), ("client_assertion_type", TYPE), ("client_assertion", &assertion)];
                let (status, body) = answer(idp.http.post(idp.at(path)).form(&form)).await;
                let expected = if path == "/par" { StatusCode::BAD_REQUEST } else { StatusCode::OK };
                assert_eq!(status, expected, "{path}: {body}");
            }
        }
    }

    /// RFC 7523 §3: a copy proves nothing, on any node, however many there are.
    async fn an_assertion_is_good_once(db) {
        let key = Key::generate("ES256");
        let idp = idp_with(db, &[&key]).await;
        let assertion = key.sign(&json!({"alg": "ES256"}), &good(&idp, "once"));
        let answers = futures_util::future::join_all((0..50).map(|_| present(&idp, &assertion, &[]))).await;
        assert_eq!(answers.iter().filter(|(status, _)| *status == StatusCode::OK).count(), 1);
        assert_eq!(present(&idp, &assertion, &[]).await, refused("invalid_client"));
    }

    async fn what_does_not_prove_who_sends_it_is_refused(db) {
        let (key, other) = (Key::generate("ES256"), Key::generate("ES256"));
        let idp = idp_with(db, &[&key, &other]).await;
        let header = json!({"alg": "ES256", "kid": "key-0"});
        let now = idp.clock.now().timestamp();
        let with = |change: &[(&str, Value)]| {
            let mut claims = good(&idp, "wrong");
            for (name, value) in change {
                claims[*name] = value.clone();
            }
            claims
        };
        let wrong = [
            ("other key", other.sign(&header, &good(&idp, "a"))),
            ("no signature", key.sign(&header, &good(&idp, "a")).rsplit_once('.').unwrap().0.to_owned() + "."),
            ("alg none", key.sign(&json!({"alg": "none"}), &good(&idp, "a"))),
            ("alg of another kind", key.sign(&json!({"alg": "RS256"}), &good(&idp, "a"))),
            ("HS256", key.sign(&json!({"alg": "HS256"}), &good(&idp, "a"))),
            ("critical header", key.sign(&json!({"alg": "ES256", "crit": ["x"], "x": 1}), &good(&idp, "a"))),
            ("typ of a proof", key.sign(&json!({"alg": "ES256", "typ": "dpop+jwt"}), &good(&idp, "a"))),
            ("typ of a request", key.sign(&json!({"alg": "ES256", "typ": "oauth-authz-req+jwt"}), &good(&idp, "a"))),
            ("unknown kid", key.sign(&json!({"alg": "ES256", "kid": "key-1"}), &good(&idp, "a"))),
            ("other issuer", key.sign(&header, &with(&[("iss", json!("other-bank"))]))),
            ("other subject", key.sign(&header, &with(&[("sub", json!("other-bank"))]))),
            ("in another's name", key.sign(&header, &with(&[("iss", json!("other-bank")), ("sub", json!("other-bank"))]))),
            ("in the name of one with a secret", key.sign(&header, &with(&[("iss", json!("web")), ("sub", json!("web"))]))),
            ("in the name of one without", key.sign(&header, &with(&[("iss", json!("spa")), ("sub", json!("spa"))]))),
            ("other audience", key.sign(&header, &with(&[("aud", json!("https://other.example"))]))),
            ("audience of one's own", key.sign(&header, &with(&[("aud", json!("bank"))]))),
            ("no audience", key.sign(&header, &with(&[("aud", Value::Null)]))),
            ("expired", key.sign(&header, &with(&[("exp", json!(now))]))),
            ("for ever", key.sign(&header, &with(&[("exp", json!(now + 601))]))),
            ("exp as text", key.sign(&header, &with(&[("exp", json!((now + 60).to_string()))]))),
            ("no exp", key.sign(&header, &with(&[("exp", Value::Null)]))),
            ("not yet", key.sign(&header, &with(&[("nbf", json!(now + 60))]))),
            ("of the future", key.sign(&header, &with(&[("iat", json!(now + 60))]))),
            ("no jti", key.sign(&header, &with(&[("jti", Value::Null)]))),
            ("empty jti", key.sign(&header, &with(&[("jti", json!(""))]))),
            ("not a JWT", "x".to_owned()),
        ];
        for (what, assertion) in wrong {
            assert_eq!(present(&idp, &assertion, &[]).await, refused("invalid_client"), "{what}");
        }
        let assertion = key.sign(&header, &good(&idp, "good"));
        assert_eq!(present(&idp, &assertion, &[("client_id", "web")]).await, refused("invalid_client"));
        assert_eq!(present(&idp, &assertion, &[("client_secret", "x")]).await, refused("invalid_request"), "two ways at once");
        for form in [[("client_assertion", assertion.as_str()), ("a", "b")], [("client_assertion_type", TYPE), ("client_id", "bank")]] {
            let half = [&[("grant_type", "client_credentials")], &form[..]].concat();
            assert_eq!(answer(idp.http.post(idp.at("/token")).form(&half)).await, refused("invalid_request"));
        }
        let plain = [("grant_type", "client_credentials"), ("client_id", "bank")];
        assert_eq!(answer(idp.http.post(idp.at("/token")).form(&plain)).await, refused("invalid_client"), "another method");
        assert_eq!(present(&idp, &assertion, &[]).await.0, StatusCode::OK, "none of that has used it up");
    }
}

#[test]
fn only_public_keys_that_can_be_used_are_registered() {
    let key = Key::generate("ES256").jwk("a");
    let mut private = key.clone();
    private["d"] = "AQAB".into();
    let client = |jwks: Value| ClientConfig {
        client_id: "bank".to_owned(),
        redirect_uris: vec!["https://bank.example/cb".to_owned()],
        jwks: Some(jwks),
        ..ClientConfig::default()
    };
    let wrong = |jwks: Value| idp::admin::clients::check(&client(jwks)).len();
    assert_eq!(wrong(json!({"keys": [key]})), 0);
    let mut named = Key::generate("Ed25519").jwk("b");
    named["alg"] = "Ed25519".into();
    assert_eq!(wrong(json!({"keys": [named]})), 0, "RFC 9864 §2.2");
    for bad in [
        json!({}),
        json!({"keys": []}),
        json!({"keys": [private]}),
        json!([]),
        json!({"keys": [{"kty": "oct", "k": "AA"}]}),
    ] {
        assert_eq!(wrong(bad.clone()), 1, "{bad}");
    }
    let both = ClientConfig { client_secret: Some("x".repeat(32).into()), ..client(json!({"keys": [key]})) };
    // RFC 7591 §2: keys are for more than authentication; then the secret is what proves who it is.
    assert_eq!(idp::admin::clients::check(&both), Vec::<String>::new());
    let neither =
        ClientConfig { jwks: None, token_endpoint_auth_method: Some("private_key_jwt".to_owned()), ..both };
    assert!(!idp::admin::clients::check(&neither).is_empty());
}
