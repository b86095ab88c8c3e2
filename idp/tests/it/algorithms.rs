//! What tokens are signed with: `id_token_signed_response_alg`, per client (OpenID Connect Registration §2).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use idp::{config::ClientConfig, keys::Algorithm};
use platform::{
    jws::{self, Jws},
    on_each_database,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

use crate::fixture::{TestIdp, answer, jwt_header, redirect_uri, redirected};

on_each_database! {
    async fn every_client_gets_id_tokens_signed_as_it_asked(db) {
        let idp = TestIdp::with(db, |config| {
            for algorithm in Algorithm::ALL {
                config.clients.push(ClientConfig {
                    client_id: algorithm.as_str().to_owned(),
                    id_token_signed_response_alg: Some(algorithm),
                    ..config.clients[0].clone()
                });
            }
        })
        .await;
        let (_, jwks) = answer(idp.http.get(idp.at("/jwks"))).await;
        let keys = jws::keys(&jwks).unwrap();
        let browser = idp.signed_up("alice").await;
        for algorithm in Algorithm::ALL.map(Algorithm::as_str) {
            let to = redirect_uri("web");
            let code = browser.code(algorithm, &[("redirect_uri", &to)]).await;
            let (_, tokens) = idp.redeem(algorithm, &code, &[("redirect_uri", &to)]).await;

            let header = jwt_header(&tokens["id_token"]);
            assert_eq!(header["alg"], algorithm);
            let id_token = Jws::parse(tokens["id_token"].as_str().unwrap()).unwrap();
            let claims: Value = id_token.verify(&keys).unwrap();
            assert_eq!(claims["aud"], json!([algorithm]));
            // Core §3.1.3.6: the hash of the algorithm; Ed25519 has SHA-512.
            let access_token = tokens["access_token"].as_str().unwrap();
            let digest = match algorithm {
                "EdDSA" => Sha512::digest(access_token)[..32].to_vec(),
                _ => Sha256::digest(access_token)[..16].to_vec(),
            };
            assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(digest), "{algorithm}");
            // APIs check one kind of signature, whatever a client likes.
            assert_eq!(jwt_header(&tokens["access_token"])["alg"], "RS256");

            // Handed back as a hint, it still proves whose it is.
            let hint = tokens["id_token"].as_str().unwrap();
            let again = browser.authorize("web", &[("prompt", "none"), ("id_token_hint", hint)]).await;
            assert!(redirected(&again).1.contains_key("code"), "{algorithm}");
        }
    }
}
