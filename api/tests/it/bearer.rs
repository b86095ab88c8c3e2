use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use platform::on_each_database;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    issuer::{self, Issuer, part},
    support::{TestApi, header, problem},
};

impl TestApi {
    /// A good token but for one thing in its header.
    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = Self::header();
        change(&mut header);
        issuer::sign(&header, &self.claims(), issuer::key(0))
    }

    /// A good token but for one claim; `null` leaves it out.
    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        self.sign(&claims)
    }

    /// A token under a MAC whose secret everybody knows: the issuer's public key.
    fn with_mac(&self, secret: &[u8]) -> String {
        let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": "first"});
        let message = format!("{}.{}", part(&header), part(&self.claims()));
        let key = EncodingKey::from_secret(secret);
        let mac = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{mac}")
    }

    async fn with_authorization(&self, values: &[&str]) -> Response {
        let mut request = self.http.get(format!("{}/api/me/tasks", self.url));
        for value in values {
            request = request.header("authorization", *value);
        }
        request.send().await.unwrap()
    }

    pub fn challenge(&self) -> String {
        let url = &self.url;
        format!(r#"Bearer realm="tasks", resource_metadata="{url}/.well-known/oauth-protected-resource""#)
    }
}

on_each_database! {
    /// RFC 9068 §4, RFC 8725: each differs from a good token in one thing.
    async fn a_bad_token_is_invalid(db) {
        let api = TestApi::new(db).await;
        let now = api.clock.now().timestamp();
        let other = issuer::key(1);
        let good = api.token.clone();
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (head, claims) = message.split_once('.').unwrap();
        let unsigned = json!({"typ": "at+jwt", "alg": "none", "kid": "first"});
        let none = format!("{}.{claims}.", part(&unsigned));
        let bad = [
            ("alg none, no signature", none.clone()),
            ("alg none, with a signature", format!("{none}{signature}")),
            ("alg nOnE", api.with_header(|header| header["alg"] = "nOnE".into())),
            ("HS256 with the public key's PEM", api.with_mac(issuer::public_pem(issuer::key(0)).as_bytes())),
            ("HS256 with the public key's DER", api.with_mac(&issuer::public_der(issuer::key(0)))),
            ("alg RS512, which is not configured", api.with_header(|header| header["alg"] = "RS512".into())),
            ("alg PS256, which is not the key's", api.with_header(|header| header["alg"] = "PS256".into())),
            ("no alg", api.with_header(|header| _ = header.as_object_mut().unwrap().remove("alg"))),
            ("typ of an ID token", api.with_header(|header| header["typ"] = "JWT".into())),
            ("typ of a logout token", api.with_header(|header| header["typ"] = "logout+jwt".into())),
            ("no typ", api.with_header(|header| _ = header.as_object_mut().unwrap().remove("typ"))),
            ("crit", api.with_header(|header| header["crit"] = json!(["exp"]))),
            ("unknown kid", api.with_header(|header| header["kid"] = "unknown".into())),
            ("kid of another type", api.with_header(|header| header["kid"] = 1.into())),
            ("kid that is a path", api.with_header(|header| header["kid"] = "../../dev/null".into())),
            ("another key under the same kid", issuer::sign(&TestApi::header(), &api.claims(), other)),
            ("a key in the header", {
                let header = json!({"typ": "at+jwt", "alg": "RS256", "kid": "mine", "jwk": issuer::jwk("mine", other)});
                issuer::sign(&header, &api.claims(), other)
            }),
            ("another issuer", api.with_claim("iss", "https://issuer.example".into())),
            ("the issuer with a slash", api.with_claim("iss", format!("{}/", api.issuer.url).into())),
            ("iss is a list", api.with_claim("iss", json!([api.issuer.url]))),
            ("no iss", api.with_claim("iss", Value::Null)),
            ("another audience", api.with_claim("aud", "https://api.example".into())),
            ("the client as audience: an ID token", api.with_claim("aud", "app".into())),
            ("audience with a slash", api.with_claim("aud", format!("{}/", api.url).into())),
            ("no audience in the list", api.with_claim("aud", json!([]))),
            ("aud of another type", api.with_claim("aud", json!({"url": api.url}))),
            ("no aud", api.with_claim("aud", Value::Null)),
            ("expired", api.with_claim("exp", (now - 1).into())),
            ("expiring this second", api.with_claim("exp", now.into())),
            ("exp is a string", api.with_claim("exp", (now + 900).to_string().into())),
            ("exp is negative", api.with_claim("exp", (-1).into())),
            ("exp is beyond all time", api.with_claim("exp", json!(1e300))),
            ("exp is true", api.with_claim("exp", true.into())),
            ("no exp", api.with_claim("exp", Value::Null)),
            ("nbf in the future", api.with_claim("nbf", (now + 60).into())),
            ("nbf is a string", api.with_claim("nbf", now.to_string().into())),
            ("no sub", api.with_claim("sub", Value::Null)),
            ("sub is empty", api.with_claim("sub", "".into())),
            ("sub is a number", api.with_claim("sub", 7.into())),
            ("sub has NUL", api.with_claim("sub", "a\0b".into())),
            ("sub is very long", api.with_claim("sub", "a".repeat(256).into())),
            ("bound to a key", api.with_claim("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))),
            ("bound to a certificate", api.with_claim("cnf", json!({"x5t#S256": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))),
            ("scope of another type", api.with_claim("scope", json!({"tasks:read": true}))),
            ("claims that are a list", issuer::sign(&TestApi::header(), &json!([api.claims()]), issuer::key(0))),
            ("truncated signature", good[..good.len() - 4].to_owned()),
            ("no signature", format!("{message}.")),
            ("two parts", message.to_owned()),
            ("one part", head.to_owned()),
            ("four parts", format!("{good}.x")),
            ("empty parts", "..".to_owned()),
            ("padding", format!("{good}==")),
            ("claims changed", {
                let mut claims = api.claims();
                claims["sub"] = "bob".into();
                format!("{head}.{}.{signature}", part(&claims))
            }),
            ("sub twice", {
                let twice = format!("{{\"sub\":\"bob\",{}", &api.claims().to_string()[1..]);
                resign(&format!("{head}.{}", URL_SAFE_NO_PAD.encode(twice)))
            }),
        ];
        assert_eq!(api.status_with(&good).await, 200);
        for (what, token) in bad {
            let response = api.with_authorization(&[&format!("Bearer {token}")]).await;
            assert_eq!(response.status(), 401, "{what}");
            let expected = format!(r#"{}, error="invalid_token""#, api.challenge());
            assert_eq!(header(&response, "www-authenticate"), expected, "{what}");
            problem(response, 401).await;
        }
    }

    /// RFC 6750 §3.1: without credentials the challenge names no error; a malformed request is 400.
    async fn the_authorization_header_is_read_strictly(db) {
        let api = TestApi::new(db).await;
        let token = api.token.as_str();
        let good = [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER  {token}")];
        for value in &good {
            assert_eq!(api.with_authorization(&[value]).await.status(), 200, "{value}");
        }
        let without = [vec![], vec!["Basic YTpi"], vec!["MAC abc"], vec![token]];
        for values in without {
            let response = api.with_authorization(&values).await;
            assert_eq!(header(&response, "www-authenticate"), api.challenge(), "{values:?}");
            problem(response, 401).await;
        }
        let bearer = good[0].as_str();
        let two = format!("{bearer} {bearer}");
        let comma = format!("{bearer},{bearer}");
        let malformed =
            [vec!["Bearer"], vec!["Bearer a b"], vec!["Bearer \"a\""], vec!["Bearer ="], vec![&*two], vec![&*comma], vec![bearer, bearer]];
        for values in malformed {
            let response = api.with_authorization(&values).await;
            let expected = format!(r#"{}, error="invalid_request""#, api.challenge());
            assert_eq!(header(&response, "www-authenticate"), expected, "{values:?}");
            problem(response, 400).await;
        }
        // §2.2 and §2.3 are not supported: a token in a URL ends up in logs.
        let in_query = api.http.get(format!("{}/api/me/tasks?access_token={token}", api.url)).send().await.unwrap();
        problem(in_query, 401).await;
    }

    async fn a_missing_scope_is_named(db) {
        let api = TestApi::new(db).await;
        let task = api.create(json!({"title": "t"})).await;
        let one = format!("/api/me/tasks/{}", task["id"].as_str().unwrap());
        let complete = format!("{one}/complete");
        let endpoints = [
            (Method::GET, "/api/me/tasks", "tasks:read"),
            (Method::POST, "/api/me/tasks", "tasks:write"),
            (Method::GET, &one, "tasks:read"),
            (Method::PUT, &one, "tasks:write"),
            (Method::PATCH, &one, "tasks:write"),
            (Method::PATCH, &complete, "tasks:write"),
            (Method::DELETE, &one, "tasks:write"),
        ];
        for (method, path, scope) in endpoints {
            let other = if scope == "tasks:read" { "tasks:write" } else { "tasks:read" };
            for granted in [other, "", "openid profile", "tasks", "TASKS:READ tasks:writex"] {
                let token = api.token_of("alice", granted);
                let request = api.http.request(method.clone(), format!("{}{path}", api.url)).bearer_auth(token);
                let response = request.json(&json!({"title": "x", "completed": true})).send().await.unwrap();
                let expected = format!(r#"{}, error="insufficient_scope", scope="{scope}""#, api.challenge());
                assert_eq!(header(&response, "www-authenticate"), expected, "{method} {path} with {granted:?}");
                problem(response, 403).await;
            }
        }
    }

    /// A token that was checked and remembered is not good for longer than it says.
    async fn a_token_stops_working_the_moment_it_expires(db) {
        let api = TestApi::new(db).await;
        assert_eq!(api.status_with(&api.token).await, 200);
        api.clock.advance(TimeDelta::seconds(899));
        assert_eq!(api.status_with(&api.token).await, 200);
        api.clock.advance(TimeDelta::seconds(1));
        assert_eq!(api.status_with(&api.token).await, 401);
    }

    async fn other_providers_ways_of_saying_scope_audience_and_time_are_understood(db) {
        let api = TestApi::new(db).await;
        let now = api.clock.now().timestamp();
        let mut claims = api.claims();
        let members = claims.as_object_mut().unwrap();
        members.remove("scope");
        members.remove("client_id");
        members.remove("jti");
        claims["azp"] = "app".into();
        claims["aud"] = json!(["account", api.url]);
        claims["exp"] = json!(now as f64 + 900.5);
        claims["nbf"] = (now + 3).into(); // their clock is a little ahead
        for scp in [json!(["tasks:read", "tasks:write"]), json!("tasks:read tasks:write")] {
            claims["scp"] = scp;
            assert_eq!(api.status_with(&api.sign(&claims)).await, 200);
        }
        let media_type = api.with_header(|header| header["typ"] = "application/AT+JWT".into());
        assert_eq!(api.status_with(&media_type).await, 200);
        let no_kid = api.with_header(|header| _ = header.as_object_mut().unwrap().remove("kid"));
        assert_eq!(api.status_with(&no_kid).await, 200);
    }

    async fn token_types_algorithms_and_audience_are_settings(db) {
        let api = TestApi::with(db, Issuer::start(), |config| {
            config.token_types = vec!["JWT".into(), "none".into()];
            config.audience = Some("urn:tasks".into());
        })
        .await;
        let mut claims = api.claims();
        claims["aud"] = "urn:tasks".into();
        for (typ, status) in [(json!("JWT"), 200), (json!("jwt"), 200), (Value::Null, 200), (json!("at+jwt"), 401)] {
            let mut header = TestApi::header();
            header["typ"] = typ.clone();
            if typ.is_null() {
                header.as_object_mut().unwrap().remove("typ");
            }
            assert_eq!(api.status_with(&issuer::sign(&header, &claims, issuer::key(0))).await, status, "{typ}");
        }
        assert_eq!(api.status_with(&api.with_header(|header| header["typ"] = "JWT".into())).await, 401);
    }
}

/// Signs `header.claims` as it is.
fn resign(message: &str) -> String {
    use rsa::signature::{SignatureEncoding, Signer};
    let key = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(issuer::key(0).clone());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).to_bytes()))
}
