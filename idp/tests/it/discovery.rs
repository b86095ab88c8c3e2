//! What is published: OpenID Connect Discovery 1.0, RFC 8414, RFC 7517.

use idp::{
    config::{ClientConfig, Registration, TokenExchange},
    keys::{KeyRing, Rotation},
};
use platform::on_each_database;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    fixture::{TestIdp, answer, jwt_header},
    signer::Key,
};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The members that we use of IANA's "OAuth Authorization Server Metadata", with the type that each has.
const REGISTERED: [(&str, Kind); 44] = [
    ("issuer", Kind::Url),
    ("authorization_endpoint", Kind::Url),
    ("token_endpoint", Kind::Url),
    ("userinfo_endpoint", Kind::Url),
    ("jwks_uri", Kind::Url),
    ("registration_endpoint", Kind::Url),
    ("revocation_endpoint", Kind::Url),
    ("introspection_endpoint", Kind::Url),
    ("end_session_endpoint", Kind::Url),
    ("device_authorization_endpoint", Kind::Url),
    ("pushed_authorization_request_endpoint", Kind::Url),
    ("service_documentation", Kind::Url),
    ("op_policy_uri", Kind::Url),
    ("op_tos_uri", Kind::Url),
    ("scopes_supported", Kind::Texts),
    ("response_types_supported", Kind::Texts),
    ("response_modes_supported", Kind::Texts),
    ("grant_types_supported", Kind::Texts),
    ("token_endpoint_auth_methods_supported", Kind::Texts),
    ("token_endpoint_auth_signing_alg_values_supported", Kind::Texts),
    ("revocation_endpoint_auth_methods_supported", Kind::Texts),
    ("revocation_endpoint_auth_signing_alg_values_supported", Kind::Texts),
    ("introspection_endpoint_auth_methods_supported", Kind::Texts),
    ("introspection_endpoint_auth_signing_alg_values_supported", Kind::Texts),
    ("code_challenge_methods_supported", Kind::Texts),
    ("acr_values_supported", Kind::Texts),
    ("subject_types_supported", Kind::Texts),
    ("id_token_signing_alg_values_supported", Kind::Texts),
    ("request_object_signing_alg_values_supported", Kind::Texts),
    ("dpop_signing_alg_values_supported", Kind::Texts),
    ("display_values_supported", Kind::Texts),
    ("claim_types_supported", Kind::Texts),
    ("claims_supported", Kind::Texts),
    ("claims_locales_supported", Kind::Texts),
    ("ui_locales_supported", Kind::Texts),
    ("prompt_values_supported", Kind::Texts),
    ("claims_parameter_supported", Kind::Flag),
    ("request_parameter_supported", Kind::Flag),
    ("request_uri_parameter_supported", Kind::Flag),
    ("require_pushed_authorization_requests", Kind::Flag),
    ("require_signed_request_object", Kind::Flag),
    ("authorization_response_iss_parameter_supported", Kind::Flag),
    ("backchannel_logout_supported", Kind::Flag),
    ("backchannel_logout_session_supported", Kind::Flag),
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Url,
    /// Never an empty list: then the member is left out (RFC 8414 §3.2).
    Texts,
    Flag,
}

async fn metadata(idp: &TestIdp) -> Value {
    let (status, metadata) = answer(idp.http.get(idp.at("/.well-known/openid-configuration"))).await;
    assert_eq!(status, StatusCode::OK);
    metadata
}

/// The texts of a list in the metadata.
fn texts<'a>(metadata: &'a Value, name: &str) -> Vec<&'a str> {
    metadata[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

on_each_database! {
    async fn the_metadata_has_registered_names_alone_and_each_its_type(db) {
        let idp = TestIdp::with(db, |config| config.client_id_metadata_documents = false).await;
        for (name, value) in metadata(&idp).await.as_object().unwrap() {
            let (_, kind) = REGISTERED.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}"));
            let good = match kind {
                Kind::Url => value.as_str().is_some_and(|url| url.starts_with(&idp.url)),
                Kind::Texts => value.as_array().is_some_and(|texts| {
                    let unique: std::collections::BTreeSet<_> = texts.iter().filter_map(Value::as_str).collect();
                    !texts.is_empty() && unique.len() == texts.len()
                }),
                Kind::Flag => value.is_boolean(),
            };
            assert!(good, "{name}: {value}");
        }
        let drafts = TestIdp::with(platform::testing::sqlite(), |config| config.client_id_metadata_documents = true).await;
        assert_eq!(metadata(&drafts).await["client_id_metadata_document_supported"], true);
    }

    /// Each of the values, at the place that it is about.
    async fn every_value_that_discovery_lists_works(db) {
        let idp = TestIdp::with(db, |config| {
            config.registration = Registration::Open;
            config.throttle.per_network = 1000;
            config.token_exchange = vec![TokenExchange {
                client: "everything".to_owned(),
                subject_client: vec!["web".to_owned()],
                subject_audience: Vec::new(),
                audience: vec!["https://files.example".to_owned()],
            }];
            let grant_types = ["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE, TOKEN_EXCHANGE];
            config.clients.push(ClientConfig {
                client_id: "everything".to_owned(),
                grant_types: Some(grant_types.map(str::to_owned).to_vec()),
                ..config.clients[0].clone()
            });
        }).await;
        let metadata = metadata(&idp).await;
        let alice = idp.signed_up("alice").await;

        let grant_types = texts(&metadata, "grant_types_supported");
        assert_eq!(grant_types.len(), 5);
        for grant_type in grant_types {
            let (_, body) = idp.token("everything", &[("grant_type", grant_type)]).await;
            assert!(!["unsupported_grant_type", "unauthorized_client"].map(Value::from).contains(&body["error"]), "{grant_type}: {body}");
        }
        for (name, values) in [
            ("response_type", texts(&metadata, "response_types_supported")),
            ("response_mode", texts(&metadata, "response_modes_supported")),
            ("code_challenge_method", texts(&metadata, "code_challenge_methods_supported")),
            ("acr_values", texts(&metadata, "acr_values_supported")),
            ("prompt", texts(&metadata, "prompt_values_supported")),
            ("scope", texts(&metadata, "scopes_supported")),
        ] {
            for value in values {
                // `web` may ask for some of the scopes, and the rest goes unheard: an error would be told.
                let scope = format!("openid {value}");
                let value = if name == "scope" { &scope } else { value };
                let answer = alice.authorize("web", &[(name, value)]).await;
                let told = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
                assert!(!told.clone().is_some_and(|place| place.contains("error=")), "{name}={value}: {told:?}");
            }
        }
        let register = async |change: &[(&str, Value)]| {
            let mut sent = json!({"redirect_uris": ["https://late.example/cb"]});
            for (name, value) in change {
                sent[*name] = value.clone();
            }
            let (status, client) = answer(idp.http.post(idp.at("/register")).json(&sent)).await;
            assert_eq!(status, StatusCode::CREATED, "{sent}: {client}");
            client
        };
        let mut scopes = texts(&metadata, "scopes_supported");
        scopes.sort_unstable();
        assert_eq!(register(&[("scope", json!(scopes.join(" ")))]).await["scope"], scopes.join(" "));
        for subject_type in texts(&metadata, "subject_types_supported") {
            register(&[("subject_type", json!(subject_type))]).await;
        }
        for algorithm in texts(&metadata, "id_token_signing_alg_values_supported") {
            let name = "id_token_signed_response_alg";
            assert_eq!(register(&[(name, json!(algorithm))]).await[name], algorithm);
        }
        let jwks = ("jwks", json!({"keys": [Key::generate("ES256").jwk("a")]}));
        for method in texts(&metadata, "token_endpoint_auth_methods_supported") {
            let mut change = vec![("token_endpoint_auth_method", json!(method))];
            change.extend((method == "private_key_jwt").then(|| jwks.clone()));
            assert_eq!(register(&change).await["token_endpoint_auth_method"], method);
        }
    }

    /// RFC 8414 §2: whoever may come, at each of the endpoints where clients say who they are.
    async fn every_way_to_authenticate_that_discovery_lists_works(db) {
        let algorithms = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"];
        let keys = algorithms.map(Key::generate);
        let idp = TestIdp::with(db, |config| {
            for (algorithm, key) in algorithms.iter().zip(&keys) {
                config.clients.push(ClientConfig {
                    client_id: format!("with-{algorithm}"),
                    client_secret: None,
                    jwks: Some(json!({"keys": [key.jwk("a")]})),
                    ..config.clients[0].clone()
                });
            }
        }).await;
        let metadata = metadata(&idp).await;
        for endpoint in ["token", "revocation", "introspection"] {
            let place = metadata[format!("{endpoint}_endpoint")].as_str().unwrap().strip_prefix(&idp.url).unwrap().to_owned();
            let form = [("grant_type", "refresh_token"), ("token", "x")];
            for method in texts(&metadata, &format!("{endpoint}_endpoint_auth_methods_supported")) {
                let client = match method {
                    "client_secret_basic" => "web",
                    "client_secret_post" => "poster",
                    "none" => "spa",
                    "private_key_jwt" => continue, // below
                    other => panic!("{other}"),
                };
                let (status, body) = answer(idp.authenticated(&place, client, &form)).await;
                assert_ne!(status, StatusCode::UNAUTHORIZED, "{place} {method}: {body}");
            }
            let listed = texts(&metadata, &format!("{endpoint}_endpoint_auth_signing_alg_values_supported"));
            assert_eq!(listed, algorithms, "{endpoint}");
            for (algorithm, key) in algorithms.iter().zip(&keys) {
                let id = format!("with-{algorithm}");
                let exp = idp.clock.now().timestamp() + 60;
                let claims = json!({"iss": id, "sub": id, "aud": idp.url, "jti": endpoint, "exp": exp});
                let assertion = key.sign(&json!({"alg": algorithm}), &claims);
                let assertion = [("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())];
                let request = idp.http.post(idp.at(&place)).form(&[&form[..], &assertion].concat());
                let (status, body) = answer(request).await;
                assert_ne!(status, StatusCode::UNAUTHORIZED, "{place} {algorithm}: {body}");
            }
        }
    }

    /// RFC 6797: only where the public address is https.
    async fn browsers_are_told_to_stay_with_https(db) {
        let idp = TestIdp::with(db, |config| config.issuer = "https://id.example".to_owned()).await;
        let answer = idp.http.get(idp.at("/jwks")).send().await.unwrap();
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=63072000; includeSubDomains");
        let plain = TestIdp::new(platform::testing::sqlite()).await;
        let answer = plain.http.get(plain.at("/jwks")).send().await.unwrap();
        assert!(answer.headers().get("strict-transport-security").is_none());
    }

    async fn everything_that_discovery_lists_is_there(db) {
        let idp = TestIdp::new(db).await;
        let (status, metadata) = answer(idp.http.get(idp.at("/.well-known/openid-configuration"))).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(metadata, answer(idp.http.get(idp.at("/.well-known/oauth-authorization-server"))).await.1);
        assert_eq!(metadata["issuer"], idp.url.as_str());
        for (name, value) in metadata.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let get = idp.http.request(Method::GET, value.as_str().unwrap()).send().await.unwrap();
                assert_ne!(get.status(), StatusCode::NOT_FOUND, "{name}");
                assert!(!get.status().is_server_error(), "{name}");
            }
        }
        assert_eq!(metadata["response_types_supported"], json!(["code"]));
        assert_eq!(metadata["response_modes_supported"], json!(["query", "form_post"]));
        assert_eq!(metadata["grant_types_supported"], json!(["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"]));
        assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["RS256", "PS256", "ES256", "EdDSA"]));
        assert_eq!(metadata["request_object_signing_alg_values_supported"], json!(["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]));
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
        assert_eq!(metadata["backchannel_logout_supported"], json!(true));
        assert_eq!(metadata["backchannel_logout_session_supported"], json!(true));
        // Its default is true: not saying so would be a claim.
        assert_eq!(metadata["request_uri_parameter_supported"], json!(false));
    }

    async fn documents_can_be_cached(db) {
        let idp = TestIdp::new(db).await;
        for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks"] {
            let first = idp.http.get(idp.at(path)).send().await.unwrap();
            assert_eq!(first.headers()["content-type"], "application/json", "{path}");
            assert_eq!(first.headers()["cache-control"], "public, max-age=300", "{path}");
            let etag = first.headers()["etag"].clone();
            let again = idp.http.get(idp.at(path)).header("if-none-match", etag).send().await.unwrap();
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        }
    }

    /// RFC 7517: public keys only, each with kid, use and alg; the one that signs is among them.
    async fn the_key_set_holds_what_verifies_and_nothing_secret(db) {
        let idp = TestIdp::new(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let (_, jwks) = answer(idp.http.get(idp.at("/jwks"))).await;
        for key in jwks["keys"].as_array().unwrap() {
            let names: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
            let (kty, expected): (_, &[&str]) = match key["alg"].as_str().unwrap() {
                "RS256" | "PS256" => ("RSA", &["alg", "e", "kid", "kty", "n", "use"]),
                "ES256" => ("EC", &["alg", "crv", "kid", "kty", "use", "x", "y"]),
                "EdDSA" => ("OKP", &["alg", "crv", "kid", "kty", "use", "x"]),
                other => panic!("{other}"),
            };
            assert_eq!((names.as_slice(), &key["kty"], &key["use"]), (expected, &json!(kty), &json!("sig")));
        }
        for kind in ["access_token", "id_token"] {
            let kid = &jwt_header(&tokens[kind])["kid"];
            assert!(jwks["keys"].as_array().unwrap().iter().any(|key| &key["kid"] == kid), "{kind}");
        }
    }

    /// A running server picks up what an operator did to the directory.
    async fn a_key_that_is_added_is_published_by_itself(db) {
        let idp = TestIdp::new(db).await;
        let ring = KeyRing::open(idp.keys.path(), idp.clock.now()).unwrap();
        ring.rotate(Rotation::Planned, chrono::TimeDelta::hours(1), idp.clock.now()).unwrap();
        let mut keys = 0;
        for _ in 0..150 {
            let (_, jwks): (_, Value) = answer(idp.http.get(idp.at("/jwks"))).await;
            keys = jwks["keys"].as_array().unwrap().len();
            if keys == 8 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(keys, 8, "two of each algorithm");
    }
}
