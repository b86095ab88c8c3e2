//! What is published: OpenID Connect Discovery 1.0, RFC 8414, RFC 7517.

use idp::keys::{KeyRing, Rotation};
use platform::on_each_database;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{TestIdp, answer, jwt_header};

on_each_database! {
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
        assert_eq!(metadata["authorization_response_iss_parameter_supported"], json!(true));
        assert_eq!(metadata["backchannel_logout_supported"], json!(true));
        assert_eq!(metadata["backchannel_logout_session_supported"], json!(true));
        // Its default is true: not saying so would be a claim.
        assert_eq!(metadata["request_uri_parameter_supported"], json!(false));
    }

    async fn documents_can_be_cached(db) {
        let idp = TestIdp::new(db).await;
        for path in ["/.well-known/openid-configuration", "/jwks"] {
            let first = idp.http.get(idp.at(path)).send().await.unwrap();
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
