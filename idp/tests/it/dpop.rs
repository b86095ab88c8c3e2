//! Tokens that are bound to a key: DPoP, RFC 9449.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use idp::{Config, config::ClientConfig};
use platform::on_each_database;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    fixture::{TestIdp, VERIFIER, answer, claims, code_challenge, redirect_uri, redirected, refused},
    signer::Key,
};

/// A good proof of `key` for a POST to `path`; `change` replaces claims, or removes them (`null`).
pub fn proof(idp: &TestIdp, key: &Key, method: &str, path: &str, change: &Value) -> String {
    let header = json!({"typ": "dpop+jwt", "alg": key.alg(), "jwk": key.public()});
    key.sign(&header, &proof_claims(idp, method, path, change))
}

fn proof_claims(idp: &TestIdp, method: &str, path: &str, change: &Value) -> Value {
    let now = idp.clock.now().timestamp();
    let mut claims = json!({"jti": Uuid::now_v7(), "htm": method, "htu": idp.at(path), "iat": now});
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn ath(token: &Value) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_str().unwrap()))
}

/// RFC 7638.
fn thumbprint(key: &Key) -> String {
    let jwk = key.public();
    let members: Vec<String> = ["crv", "e", "kty", "n", "x", "y"]
        .iter()
        .filter_map(|name| jwk.get(name).map(|value| format!("\"{name}\":{value}")))
        .collect();
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members.join(","))))
}

impl TestIdp {
    fn code_request(&self, client: &str, code: &str) -> RequestBuilder {
        let redirect_uri = redirect_uri(client);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", VERIFIER),
        ];
        self.token_request(client, &fields)
    }

    /// Tokens of somebody new, bound to `key`.
    async fn bound(&self, name: &str, client: &str, key: &Key) -> Value {
        let code = self.signed_up(name).await.code(client, &[("scope", "openid offline_access")]).await;
        let proof = proof(self, key, "POST", "/token", &json!({}));
        let (status, tokens) = answer(self.code_request(client, &code).header("dpop", proof)).await;
        assert_eq!((status, &tokens["token_type"]), (StatusCode::OK, &json!("DPoP")), "{tokens}");
        tokens
    }

    /// An access token of web that is bound to `key`.
    pub async fn bound_to(&self, key: &Key, code: &str) -> Value {
        let proof = proof(self, key, "POST", "/token", &json!({}));
        let (status, tokens) = answer(self.code_request("web", code).header("dpop", proof)).await;
        assert_eq!((status, &tokens["token_type"]), (StatusCode::OK, &json!("DPoP")), "{tokens}");
        tokens["access_token"].clone()
    }

    fn refresh_request(&self, client: &str, tokens: &Value) -> RequestBuilder {
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        self.token_request(client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
    }

    async fn at_userinfo(&self, scheme: &str, token: &Value, proof: Option<&str>) -> Response {
        let header = format!("{scheme} {}", token.as_str().unwrap());
        let mut request = self.http.get(self.at("/userinfo")).header("authorization", header);
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        request.send().await.unwrap()
    }
}

fn challenges(response: &Response) -> Vec<&str> {
    response.headers().get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

fn with_nonces(config: &mut Config) {
    config.require_dpop_nonce = true;
}

on_each_database! {
    async fn a_token_is_bound_to_the_key_that_was_proved(db) {
        let idp = TestIdp::new(db).await;
        for algorithm in ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"] {
            let key = Key::generate(algorithm);
            let tokens = idp.bound(&algorithm.to_lowercase(), "web", &key).await;
            let access_token = &tokens["access_token"];
            assert_eq!(claims(access_token)["cnf"], json!({"jkt": thumbprint(&key)}), "{algorithm}");

            let with_ath = json!({"ath": ath(access_token)});
            let good = proof(&idp, &key, "GET", "/userinfo", &with_ath);
            assert_eq!(idp.at_userinfo("DPoP", access_token, Some(&good)).await.status(), StatusCode::OK);
            let (_, introspection) = answer(idp.authenticated("/introspect", "web", &[("token", access_token.as_str().unwrap())])).await;
            assert_eq!((&introspection["token_type"], &introspection["cnf"]["jkt"]), (&json!("DPoP"), &json!(thumbprint(&key))));
        }
        let robot = idp.token_request("robot", &[("grant_type", "client_credentials")]);
        let key = Key::generate("ES256");
        let (_, tokens) = answer(robot.header("dpop", proof(&idp, &key, "POST", "/token", &json!({})))).await;
        assert_eq!((&tokens["token_type"], &claims(&tokens["access_token"])["cnf"]["jkt"]), (&json!("DPoP"), &json!(thumbprint(&key))));
    }

    /// §7.1: neither without proof, nor with another's, nor the other way round.
    async fn a_bound_token_is_worth_nothing_without_its_key(db) {
        let idp = TestIdp::new(db).await;
        let (key, other) = (Key::generate("ES256"), Key::generate("ES256"));
        let tokens = idp.bound("alice", "web", &key).await;
        let token = &tokens["access_token"];
        let made = |key: &Key, method: &str, path: &str, ath: &str| proof(&idp, key, method, path, &json!({"ath": ath}));
        let good = made(&key, "GET", "/userinfo", &ath(token));

        let bearer = idp.at_userinfo("Bearer", token, Some(&good)).await;
        assert_eq!(bearer.status(), StatusCode::UNAUTHORIZED);
        assert!(challenges(&bearer)[0].contains("error=\"invalid_token\""), "{:?}", challenges(&bearer));
        assert_eq!(idp.at_userinfo("dPoP", token, Some(&good)).await.status(), StatusCode::OK, "that did not use it up");
        let wrong = [
            ("no proof", None, "invalid_dpop_proof"),
            ("used before", Some(good), "invalid_dpop_proof"),
            ("another key's", Some(made(&other, "GET", "/userinfo", &ath(token))), "invalid_token"),
            ("another method", Some(made(&key, "POST", "/userinfo", &ath(token))), "invalid_dpop_proof"),
            ("another place", Some(made(&key, "GET", "/token", &ath(token))), "invalid_dpop_proof"),
            ("another token", Some(made(&key, "GET", "/userinfo", &ath(&tokens["id_token"]))), "invalid_dpop_proof"),
            ("no token", Some(proof(&idp, &key, "GET", "/userinfo", &json!({}))), "invalid_dpop_proof"),
        ];
        for (what, proof, error) in wrong {
            let answer = idp.at_userinfo("DPoP", token, proof.as_deref()).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
            let challenge = *challenges(&answer).last().unwrap();
            assert!(challenge.starts_with("DPoP algs=\"RS256 PS256 ES256 EdDSA Ed25519\""), "{challenge}");
            assert!(challenge.contains(&format!("error=\"{error}\"")), "{what}: {challenge}");
        }
        let unbound = idp.tokens("bob", "web").await;
        let proof = made(&key, "GET", "/userinfo", &ath(&unbound["access_token"]));
        let answer = idp.at_userinfo("DPoP", &unbound["access_token"], Some(&proof)).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "a token without a key is not taken for one with");
    }

    /// §4.3
    async fn what_proves_no_possession_is_refused(db) {
        let idp = TestIdp::new(db).await;
        let (key, other) = (Key::generate("ES256"), Key::generate("ES256"));
        let good_header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key.public()});
        let with_header = |name: &str, value: Value| {
            let mut header = good_header.clone();
            header[name] = value;
            key.sign(&header, &proof_claims(&idp, "POST", "/token", &json!({})))
        };
        let with_claim = |name: &str, value: Value| proof(&idp, &key, "POST", "/token", &json!({name: value}));
        let mut private = key.public();
        private["d"] = json!("AQAB");
        let now = idp.clock.now().timestamp();
        let wrong = [
            ("no JWT", "x".to_owned()),
            ("typ of another", with_header("typ", json!("JWT"))),
            ("no typ", with_header("typ", Value::Null)),
            ("alg none", with_header("alg", json!("none"))),
            ("alg HS256", with_header("alg", json!("HS256"))),
            ("no key", with_header("jwk", Value::Null)),
            ("another's key", with_header("jwk", other.public())),
            ("a private key", with_header("jwk", private)),
            ("a symmetric key", with_header("jwk", json!({"kty": "oct", "k": "AA"}))),
            ("a critical header", with_header("crit", json!(["x"]))),
            ("another method", with_claim("htm", json!("GET"))),
            ("another case", with_claim("htm", json!("post"))),
            ("another host", with_claim("htu", json!("https://other.example/token"))),
            ("another path", with_claim("htu", json!(idp.at("/par")))),
            ("no place", with_claim("htu", Value::Null)),
            ("too old", with_claim("iat", json!(now - 60))),
            ("of the future", with_claim("iat", json!(now + 11))),
            ("iat as text", with_claim("iat", json!(now.to_string()))),
            ("no jti", with_claim("jti", Value::Null)),
            ("empty jti", with_claim("jti", json!(""))),
            ("long jti", with_claim("jti", json!("x".repeat(256)))),
            ("nonce of nobody", with_claim("nonce", json!("AAAAAAAAAAA"))),
        ];
        let code = idp.code("alice", "web").await;
        for (what, proof) in wrong {
            let answer = answer(idp.code_request("web", &code).header("dpop", proof)).await;
            let error = if what == "nonce of nobody" { "use_dpop_nonce" } else { "invalid_dpop_proof" };
            assert_eq!(answer, refused(error), "{what}");
        }
        let good = proof(&idp, &key, "POST", "/token", &json!({}));
        let twice = idp.code_request("web", &code).header("dpop", &good).header("dpop", &good);
        assert_eq!(answer(twice).await, refused("invalid_dpop_proof"), "two proofs");
        // §4.2: what else the header says does not matter, nor a fraction of a second (RFC 7519 §2).
        let named = json!({"typ": "dpop+jwt", "alg": "ES256", "kid": "mine", "jwk": key.public()});
        let fraction = json!({"iat": now as f64 + 0.25});
        let made = key.sign(&named, &proof_claims(&idp, "POST", "/token", &fraction));
        let robot = idp.token_request("robot", &[("grant_type", "client_credentials")]);
        assert_eq!(answer(robot.header("dpop", made)).await.0, StatusCode::OK);
        // Query and fragment do not count.
        let elsewhere = proof(&idp, &key, "POST", "/token?a=b#c", &json!({}));
        assert_eq!(answer(idp.code_request("web", &code).header("dpop", elsewhere)).await.0, StatusCode::OK);
    }

    /// §11.1, on any node, however many there are.
    async fn a_proof_is_good_once(db) {
        let idp = TestIdp::new(db).await;
        let key = Key::generate("ES256");
        let proof = proof(&idp, &key, "POST", "/token", &json!({}));
        let ask = || answer(idp.token_request("robot", &[("grant_type", "client_credentials")]).header("dpop", &proof));
        let answers = futures_util::future::join_all((0..50).map(|_| ask())).await;
        assert_eq!(answers.iter().filter(|(status, _)| *status == StatusCode::OK).count(), 1);
        idp.clock.advance(TimeDelta::seconds(60));
        assert_eq!(ask().await, refused("invalid_dpop_proof"), "nor later");
    }

    /// §5: of a public client nothing else proves whose a refresh token is.
    async fn refresh_tokens_of_public_clients_are_bound_and_others_are_not(db) {
        let idp = TestIdp::new(db).await;
        let (key, other) = (Key::generate("ES256"), Key::generate("EdDSA"));
        let made = |key: &Key| proof(&idp, key, "POST", "/token", &json!({}));
        let tokens = idp.bound("alice", "spa", &key).await;
        assert_eq!(answer(idp.refresh_request("spa", &tokens)).await, refused("invalid_grant"), "without proof");
        let foreign = idp.refresh_request("spa", &tokens).header("dpop", made(&other));
        assert_eq!(answer(foreign).await, refused("invalid_grant"), "another key");
        let (status, next) = answer(idp.refresh_request("spa", &tokens).header("dpop", made(&key))).await;
        assert_eq!((status, &next["token_type"]), (StatusCode::OK, &json!("DPoP")), "{next}");
        assert_eq!(answer(idp.refresh_request("spa", &next)).await, refused("invalid_grant"), "nor its successor");

        // A confidential client proves itself by its secret, and may change its key.
        let tokens = idp.bound("bob", "web", &key).await;
        let (status, next) = answer(idp.refresh_request("web", &tokens).header("dpop", made(&other))).await;
        assert_eq!((status, &claims(&next["access_token"])["cnf"]["jkt"]), (StatusCode::OK, &json!(thumbprint(&other))));
    }

    /// §10: a code that was stolen on its way is worth nothing without the key.
    async fn a_code_can_be_bound_to_a_key(db) {
        let idp = TestIdp::new(db).await;
        let (key, other) = (Key::generate("ES256"), Key::generate("ES256"));
        let jkt = thumbprint(&key);
        let made = |key: &Key, path: &str| proof(&idp, key, "POST", path, &json!({}));
        let browser = idp.signed_up("alice").await;
        let code = browser.code("web", &[("dpop_jkt", &jkt)]).await;
        assert_eq!(answer(idp.code_request("web", &code)).await, refused("invalid_grant"), "without proof");
        let foreign = idp.code_request("web", &code).header("dpop", made(&other, "/token"));
        assert_eq!(answer(foreign).await, refused("invalid_grant"), "another key");
        let own = idp.code_request("web", &code).header("dpop", made(&key, "/token"));
        assert_eq!(answer(own).await.0, StatusCode::OK, "and none of that has used it up");

        let (_, parameters) = redirected(&browser.authorize("web", &[("dpop_jkt", "short")]).await);
        assert_eq!(parameters["error"], "invalid_request");

        // §10.1: a proof at the pushed request says the same.
        let (uri, challenge) = (redirect_uri("web"), code_challenge(VERIFIER));
        let pushed: [(&str, &str); 5] = [("response_type", "code"), ("redirect_uri", &uri), ("scope", "openid"), ("code_challenge", &challenge), ("code_challenge_method", "S256")];
        let push = |more: &[(&str, &str)], proof: String| {
            answer(idp.authenticated("/par", "web", &[&pushed[..], more].concat()).header("dpop", proof))
        };
        assert_eq!(push(&[("dpop_jkt", &jkt)], made(&other, "/par")).await, refused("invalid_dpop_proof"));
        let (status, body) = push(&[], made(&key, "/par")).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let arrival = url::Url::parse_with_params(&idp.at("/authorize"), [("client_id", "web"), ("request_uri", body["request_uri"].as_str().unwrap())]).unwrap();
        let (_, parameters) = redirected(&browser.get(arrival.as_str()).await);
        let code = &parameters["code"];
        assert_eq!(answer(idp.code_request("web", code)).await, refused("invalid_grant"));
        assert_eq!(answer(idp.code_request("web", code).header("dpop", made(&key, "/token"))).await.0, StatusCode::OK);
    }

    /// §5.2
    async fn a_client_can_be_held_to_bound_tokens(db) {
        let idp = TestIdp::with(db, |config| {
            config.clients[0] = ClientConfig { dpop_bound_access_tokens: true, ..config.clients[0].clone() };
        }).await;
        let code = idp.code("alice", "web").await;
        assert_eq!(answer(idp.code_request("web", &code)).await, refused("invalid_dpop_proof"));
        let proof = proof(&idp, &Key::generate("ES256"), "POST", "/token", &json!({}));
        assert_eq!(answer(idp.code_request("web", &code).header("dpop", proof)).await.0, StatusCode::OK);
    }

    /// §8 and §9: nobody can make proofs in advance.
    async fn a_nonce_can_be_demanded(db) {
        let idp = TestIdp::with(db, with_nonces).await;
        let key = Key::generate("ES256");
        let ask = async |change: Value| {
            let proof = proof(&idp, &key, "POST", "/token", &change);
            let request = idp.token_request("robot", &[("grant_type", "client_credentials")]).header("dpop", proof);
            let response = request.send().await.unwrap();
            let nonce = response.headers().get("dpop-nonce").map(|nonce| nonce.to_str().unwrap().to_owned());
            (response.status(), nonce, response.json::<Value>().await.unwrap())
        };
        let (status, nonce, body) = ask(json!({})).await;
        assert_eq!((status, &body), (StatusCode::BAD_REQUEST, &json!({"error": "use_dpop_nonce"})));
        let nonce = nonce.expect("a nonce to go on with");
        let (status, next, _) = ask(json!({"nonce": nonce})).await;
        assert_eq!((status, next.is_some()), (StatusCode::OK, true));
        let mut forged = nonce.clone();
        forged.replace_range(..1, if nonce.starts_with('B') { "C" } else { "B" });
        assert_eq!(ask(json!({"nonce": forged})).await.0, StatusCode::BAD_REQUEST);
        idp.clock.advance(TimeDelta::minutes(5));
        let (status, _, body) = ask(json!({"nonce": nonce})).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("use_dpop_nonce")), "too old");

        // The same at userinfo, where the challenge says so.
        let (_, nonce, _) = ask(json!({})).await;
        let code = idp.code("alice", "web").await;
        let made = proof(&idp, &key, "POST", "/token", &json!({"nonce": nonce}));
        let (_, tokens) = answer(idp.code_request("web", &code).header("dpop", made)).await;
        let token = &tokens["access_token"];
        let without = proof(&idp, &key, "GET", "/userinfo", &json!({"ath": ath(token)}));
        let refused = idp.at_userinfo("DPoP", token, Some(&without)).await;
        assert!(challenges(&refused)[0].contains("error=\"use_dpop_nonce\""), "{:?}", challenges(&refused));
        let nonce = refused.headers()["dpop-nonce"].to_str().unwrap();
        let with = proof(&idp, &key, "GET", "/userinfo", &json!({"ath": ath(token), "nonce": nonce}));
        assert_eq!(idp.at_userinfo("DPoP", token, Some(&with)).await.status(), StatusCode::OK);
    }
}
