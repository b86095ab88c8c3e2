//! Tokens that are bound to a key, RFC 9449 §7.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use platform::on_each_database;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{issuer, support::TestApi};

/// The key that the client has; the issuer's is another.
const CLIENT: usize = 1;

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

fn public(key: usize) -> Value {
    let jwk = issuer::jwk("", issuer::key(key));
    json!({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
}

fn thumbprint(key: usize) -> String {
    let jwk = public(key);
    hash(&format!("{{\"e\":{},\"kty\":\"RSA\",\"n\":{}}}", jwk["e"], jwk["n"]))
}

impl TestApi {
    /// Alice's, bound to the client's key.
    fn bound(&self) -> String {
        let mut claims = self.claims();
        claims["cnf"] = json!({"jkt": thumbprint(CLIENT)});
        self.sign(&claims)
    }

    /// A good proof for reading alice's list; `change` replaces claims, or removes them (`null`).
    fn proof(&self, token: &str, key: usize, change: &Value) -> String {
        let (jti, now) = (uuid::Uuid::now_v7(), self.clock.now().timestamp());
        let htu = format!("{}/api/me/tasks", self.url);
        let mut claims = json!({"jti": jti, "htm": "GET", "htu": htu, "iat": now, "ath": hash(token)});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = json!({"typ": "dpop+jwt", "alg": "RS256", "jwk": public(key)});
        issuer::sign(&header, &claims, issuer::key(key))
    }

    async fn read(&self, scheme: &str, token: &str, proofs: &[&str]) -> Response {
        let mut request = self.http.get(format!("{}/api/me/tasks?limit=1", self.url));
        request = request.header("authorization", format!("{scheme} {token}"));
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        request.send().await.unwrap()
    }
}

fn challenges(response: &Response) -> Vec<String> {
    let values = response.headers().get_all("www-authenticate").iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

on_each_database! {
    async fn a_bound_token_is_good_with_proof_of_its_key(db) {
        let api = TestApi::new(db).await;
        let token = api.bound();
        for scheme in ["DPoP", "dpop"] {
            let answer = api.read(scheme, &token, &[&api.proof(&token, CLIENT, &json!({}))]).await;
            assert_eq!(answer.status(), StatusCode::OK);
        }
        // The query does not count (§4.3).
        let htu = format!("{}/api/me/tasks?completed=true#x", api.url);
        let answer = api.read("DPoP", &token, &[&api.proof(&token, CLIENT, &json!({"htu": htu}))]).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }

    async fn a_bound_token_is_refused_as_bearer_and_an_unbound_one_as_dpop(db) {
        let api = TestApi::new(db).await;
        let token = api.bound();
        let answer = api.read("Bearer", &token, &[&api.proof(&token, CLIENT, &json!({}))]).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let told = challenges(&answer);
        assert!(told[0].starts_with("Bearer ") && told[0].contains("error=\"invalid_token\""), "{told:?}");
        assert!(told[1].starts_with("DPoP algs=\"") && told[1].contains("ES256"), "{told:?}");
        let answer = api.read("DPoP", &api.token, &[&api.proof(&api.token, CLIENT, &json!({}))]).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }

    async fn without_good_proof_a_bound_token_is_refused(db) {
        let api = TestApi::new(db).await;
        let token = api.bound();
        let now = api.clock.now().timestamp();
        let with = |change: Value| api.proof(&token, CLIENT, &change);
        let wrong = [
            ("no proof", vec![], "invalid_dpop_proof"),
            ("two proofs", vec![with(json!({})), with(json!({}))], "invalid_dpop_proof"),
            ("another's key", vec![api.proof(&token, 0, &json!({}))], "invalid_token"),
            ("another method", vec![with(json!({"htm": "POST"}))], "invalid_dpop_proof"),
            ("another place", vec![with(json!({"htu": format!("{}/api/me/tasks/1", api.url)}))], "invalid_dpop_proof"),
            ("another server", vec![with(json!({"htu": "https://other.example/api/me/tasks"}))], "invalid_dpop_proof"),
            ("another token", vec![with(json!({"ath": hash("x")}))], "invalid_dpop_proof"),
            ("no token", vec![with(json!({"ath": null}))], "invalid_dpop_proof"),
            ("too old", vec![with(json!({"iat": now - 60}))], "invalid_dpop_proof"),
            ("no jti", vec![with(json!({"jti": null}))], "invalid_dpop_proof"),
            ("no JWT", vec!["x".to_owned()], "invalid_dpop_proof"),
        ];
        for (what, proofs, error) in wrong {
            let proofs: Vec<&str> = proofs.iter().map(String::as_str).collect();
            let answer = api.read("DPoP", &token, &proofs).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
            let told = challenges(&answer);
            assert!(told.last().unwrap().contains(&format!("error=\"{error}\"")), "{what}: {told:?}");
        }
    }

    /// §11.1, on any node, however many there are; and it is forgotten when it could not be used any more.
    async fn a_proof_is_good_once(db) {
        let api = TestApi::new(db).await;
        let token = api.bound();
        let proof = api.proof(&token, CLIENT, &json!({}));
        let proofs = [proof.as_str()];
        let answers = futures_util::future::join_all((0..50).map(|_| api.read("DPoP", &token, &proofs))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status() == StatusCode::OK).count(), 1);
        api.clock.advance(TimeDelta::seconds(60));
        assert_eq!(api.read("DPoP", &token, &proofs).await.status(), StatusCode::UNAUTHORIZED);
    }

    async fn the_metadata_say_what_proofs_are_taken(db) {
        let api = TestApi::new(db).await;
        let metadata = api.http.get(format!("{}/.well-known/oauth-protected-resource", api.url)).send().await.unwrap();
        let metadata: Value = metadata.json().await.unwrap();
        assert_eq!(metadata["dpop_signing_alg_values_supported"], json!(["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]));
    }
}
