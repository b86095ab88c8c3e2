//! Token Exchange, RFC 8693: services that act for whoever called them.

use chrono::TimeDelta;
use idp::{
    Config, admin,
    config::{ClientConfig, TokenExchange},
};
use platform::{on_each_database, testing::TestDb};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::{
    fixture::{API, TestIdp, answer, changed, claims, clients, refused},
    signer::Key,
};

const GRANT_TYPE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const FILES: &str = "https://files.example";
const MAIL: &str = "https://mail.example";

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn rule(
    client: &str,
    subject_client: &[&str],
    subject_audience: &[&str],
    audience: &[&str],
) -> TokenExchange {
    TokenExchange {
        client: client.to_owned(),
        subject_client: texts(subject_client),
        subject_audience: texts(subject_audience),
        audience: texts(audience),
    }
}

/// `gateway` and `backend` may exchange, as far as rules say; `idle` is registered and no rule names it.
fn services(config: &mut Config) {
    let web = clients().swap_remove(0);
    for id in ["gateway", "backend", "idle"] {
        config.clients.push(ClientConfig {
            client_id: id.to_owned(),
            grant_types: Some(texts(&[GRANT_TYPE.1, "client_credentials"])),
            scope: Some("openid tasks:read tasks:write".to_owned()),
            ..web.clone()
        });
    }
}

/// What web gets for the API, gateway exchanges for files or mail; what gateway has for files, backend for mail.
async fn idp_with_services(db: TestDb) -> TestIdp {
    TestIdp::with(db, |config| {
        services(config);
        config.token_exchange = vec![
            rule("gateway", &["web", "backend"], &[API], &[FILES, MAIL]),
            rule("backend", &["gateway"], &[FILES], &[MAIL]),
        ];
    })
    .await
}

impl TestIdp {
    /// A good exchange of `subject` by `client`; `change` replaces or removes parameters.
    fn exchange_request(&self, client: &str, subject: &Value, change: &[(&str, &str)]) -> RequestBuilder {
        let good = [
            GRANT_TYPE,
            ("subject_token", subject.as_str().unwrap()),
            ("subject_token_type", ACCESS_TOKEN),
            ("resource", if client == "gateway" { FILES } else { MAIL }),
        ];
        self.token_request(client, &changed(&good, change))
    }

    async fn exchange(&self, client: &str, subject: &Value, change: &[(&str, &str)]) -> (StatusCode, Value) {
        answer(self.exchange_request(client, subject, change)).await
    }

    /// The new access token.
    async fn exchanged(&self, client: &str, subject: &Value, change: &[(&str, &str)]) -> Value {
        let (status, body) = self.exchange(client, subject, change).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["access_token"].clone()
    }

    async fn introspection(&self, client: &str, token: &Value) -> Value {
        answer(self.authenticated("/introspect", client, &[("token", token.as_str().unwrap())])).await.1
    }
}

on_each_database! {
    async fn a_service_acts_for_whoever_called_it(db) {
        let idp = idp_with_services(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let (status, body) = idp.exchange("gateway", &tokens["access_token"], &[("scope", "tasks:read")]).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!((&body["issued_token_type"], &body["token_type"]), (&json!(ACCESS_TOKEN), &json!("Bearer")));
        assert_eq!((&body["scope"], &body["expires_in"]), (&json!("tasks:read"), &json!(120)));
        assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none());

        let (subject, new) = (claims(&tokens["access_token"]), claims(&body["access_token"]));
        assert_eq!(new["act"], json!({"sub": "gateway"}));
        assert_eq!((&new["client_id"], &new["aud"], &new["scope"]), (&json!("gateway"), &json!(FILES), &json!("tasks:read")));
        for same in ["iss", "sub", "sid", "auth_time"] {
            assert_eq!(new[same], subject[same], "{same}");
        }
        assert_ne!(new["jti"], subject["jti"]);
        let known = idp.introspection("gateway", &body["access_token"]).await;
        assert_eq!((&known["active"], &known["act"]), (&json!(true), &json!({"sub": "gateway"})));
        assert!(!idp.is_active("web", &body["access_token"]).await, "it is not web's");
    }

    async fn scope_and_lifetime_are_never_more_than_the_token_had(db) {
        let idp = idp_with_services(db).await;
        let browser = idp.signed_up("alice").await;
        let code = browser.code("web", &[("scope", "openid profile tasks:read")]).await;
        let token = idp.redeem("web", &code, &[]).await.1["access_token"].clone();
        let new = idp.exchanged("gateway", &token, &[]).await;
        assert_eq!(claims(&new)["scope"], "openid tasks:read", "what both may");
        for scope in ["tasks:write", "openid tasks:read tasks:write", "profile", "nonsense", "\"", " "] {
            let answer = idp.exchange("gateway", &token, &[("scope", scope)]).await;
            assert_eq!(answer, refused("invalid_scope"), "{scope:?}");
        }
        idp.clock.advance(TimeDelta::seconds(14 * 60));
        let (_, late) = idp.exchange("gateway", &token, &[]).await;
        assert_eq!(late["expires_in"], 60, "files would have allowed 120");
        assert_eq!(claims(&late["access_token"])["exp"], claims(&token)["exp"]);
    }

    /// RFC 8693 §4.1: the newest actor is outermost.
    async fn who_acted_before_stays_to_be_seen_and_the_chain_ends(db) {
        let idp = TestIdp::with(db, |config| {
            services(config);
            config.token_exchange = vec![
                rule("gateway", &["web", "backend"], &[API], &[FILES]),
                rule("backend", &["gateway"], &[FILES], &[API]),
            ];
        }).await;
        let mut token = idp.tokens("alice", "web").await["access_token"].clone();
        let mut act = Value::Null;
        for client in ["gateway", "backend", "gateway", "backend"] {
            token = idp.exchanged(client, &token, &[("resource", "")]).await;
            act = if act.is_null() { json!({"sub": client}) } else { json!({"sub": client, "act": act}) };
            assert_eq!(claims(&token)["act"], act);
        }
        let fifth = idp.exchange("gateway", &token, &[("resource", "")]).await;
        assert_eq!(fifth, refused("invalid_request"));
    }

    async fn an_actor_can_be_who_the_clients_own_token_is_about(db) {
        let idp = TestIdp::with(db, |config| {
            services(config);
            config.token_exchange = vec![
                rule("gateway", &["web"], &[API], &[FILES]),
                rule("web", &["other"], &[API], &[FILES]),
            ];
            config.clients[0].grant_types =
                Some(texts(&["authorization_code", "refresh_token", GRANT_TYPE.1]));
        }).await;
        let alice = idp.tokens("alice", "web").await["access_token"].clone();
        let robot = idp.token("gateway", &[("grant_type", "client_credentials")]).await.1["access_token"].clone();
        let robot = [("actor_token", robot.as_str().unwrap()), ("actor_token_type", JWT)];
        let new = idp.exchanged("gateway", &alice, &robot).await;
        assert_eq!(claims(&new)["act"], json!({"sub": "gateway"}));

        let bob = idp.tokens("bob", "other").await["access_token"].clone();
        let actor = [("actor_token", alice.as_str().unwrap()), ("actor_token_type", ACCESS_TOKEN), ("resource", FILES)];
        let new = claims(&idp.exchanged("web", &bob, &actor).await);
        assert_eq!((&new["sub"], &new["act"]), (&claims(&bob)["sub"], &json!({"sub": claims(&alice)["sub"]})));

        let exchanged = idp.exchanged("gateway", &alice, &[]).await;
        for (actor, actor_token_type) in [
            (alice.as_str().unwrap(), ACCESS_TOKEN), // another client's
            (exchanged.as_str().unwrap(), ACCESS_TOKEN), // an actor for somebody itself
            ("nonsense", ACCESS_TOKEN),
            ("", ACCESS_TOKEN),
            (robot[0].1, ""),
            (robot[0].1, "urn:ietf:params:oauth:token-type:id_token"),
        ] {
            let actor = [("actor_token", actor), ("actor_token_type", actor_token_type)];
            assert_eq!(idp.exchange("gateway", &alice, &actor).await, refused("invalid_request"), "{actor:?}");
        }
    }

    /// RFC 8693 §2.1 and §2.2.2.
    async fn each_wrong_request_gets_its_error(db) {
        let idp = idp_with_services(db).await;
        let tokens = idp.tokens("alice", "web").await;
        let token = &tokens["access_token"];
        let twice = format!("{FILES} ");
        for (client, change, error) in [
            ("gateway", ("subject_token", ""), "invalid_request"),
            ("gateway", ("subject_token", "nonsense"), "invalid_request"),
            ("gateway", ("subject_token", tokens["id_token"].as_str().unwrap()), "invalid_request"),
            ("gateway", ("subject_token", tokens["refresh_token"].as_str().unwrap()), "invalid_request"),
            ("gateway", ("subject_token_type", ""), "invalid_request"),
            ("gateway", ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"),
            ("gateway", ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"),
            ("gateway", ("requested_token_type", "urn:ietf:params:oauth:token-type:saml2"), "invalid_request"),
            ("gateway", ("resource", ""), "invalid_request"), // files or mail?
            ("gateway", ("resource", API), "invalid_target"),
            ("gateway", ("resource", "https://elsewhere.example"), "invalid_target"),
            ("gateway", ("resource", &twice), "invalid_target"),
            ("gateway", ("audience", API), "invalid_target"),
            ("backend", ("x", ""), "invalid_request"), // no rule for web's tokens
            ("idle", ("x", ""), "unauthorized_client"),
            ("web", ("x", ""), "unauthorized_client"),
            ("spa", ("x", ""), "unauthorized_client"),
        ] {
            assert_eq!(idp.exchange(client, token, &[change]).await, refused(error), "{client} {change:?}");
        }
        for change in [("requested_token_type", JWT), ("subject_token_type", JWT)] {
            let (status, body) = idp.exchange("gateway", token, &[change]).await;
            let issued = if change.0 == "requested_token_type" { JWT } else { ACCESS_TOKEN };
            assert_eq!((status, &body["issued_token_type"]), (StatusCode::OK, &json!(issued)));
        }
        let by_name = idp.exchanged("gateway", token, &[("resource", ""), ("audience", MAIL)]).await;
        assert_eq!(claims(&by_name)["aud"], MAIL);
        let several = idp.exchanged("gateway", token, &[("resource", FILES), ("resource", MAIL), ("audience", MAIL)]).await;
        assert_eq!(claims(&several)["aud"], json!([FILES, MAIL]));
    }

    async fn tokens_that_are_over_bound_to_a_key_or_nobodys_are_not_exchanged(db) {
        let idp = idp_with_services(db).await;
        let browser = idp.signed_up("alice").await;
        let issue = async || {
            let code = browser.code("web", &[]).await;
            idp.redeem("web", &code, &[]).await.1["access_token"].clone()
        };
        let refused_now = async |token: &Value| {
            assert_eq!(idp.exchange("gateway", token, &[]).await, refused("invalid_request"));
        };

        let revoked = issue().await;
        answer(idp.authenticated("/revoke", "web", &[("token", revoked.as_str().unwrap())])).await;
        refused_now(&revoked).await;

        let robots = idp.token("robot", &[("grant_type", "client_credentials")]).await.1["access_token"].clone();
        refused_now(&robots).await;

        let elsewhere = browser.code("web", &[("resource", "https://files.example")]).await;
        let elsewhere = idp.redeem("web", &elsewhere, &[]).await.1["access_token"].clone();
        let answer_to = idp.exchange("gateway", &elsewhere, &[]).await;
        assert_eq!(answer_to.0, StatusCode::OK, "what it may be exchanged for, it may have been for before");
        let for_backend = idp.exchange("backend", &elsewhere, &[]).await;
        assert_eq!(for_backend, refused("invalid_request"), "it was web's");

        let key = Key::generate("ES256");
        let bound = idp.bound_to(&key, &browser.code("web", &[]).await).await;
        refused_now(&bound).await;

        let expired = issue().await;
        idp.clock.advance(TimeDelta::minutes(16));
        refused_now(&expired).await;
        let ended = issue().await;
        browser.post("/logout/confirm", &[]).await;
        refused_now(&ended).await;
    }

    async fn a_token_that_was_meant_for_others_is_not_exchanged(db) {
        let idp = TestIdp::with(db, |config| {
            services(config);
            config.token_exchange = vec![rule("gateway", &["web"], &[], &[FILES])];
        }).await;
        let browser = idp.signed_up("alice").await;
        for (resource, expected) in [(API, StatusCode::BAD_REQUEST), (FILES, StatusCode::OK)] {
            let code = browser.code("web", &[("resource", resource)]).await;
            let token = idp.redeem("web", &code, &[]).await.1["access_token"].clone();
            assert_eq!(idp.exchange("gateway", &token, &[]).await.0, expected, "{resource}");
        }
    }

    async fn what_was_exchanged_ends_with_its_grant_with_its_client_and_when_it_is_revoked(db) {
        let idp = idp_with_services(db).await;
        let alice = idp.signed_up("alice").await;
        let code = alice.code("web", &[]).await;
        let token = idp.redeem("web", &code, &[]).await.1["access_token"].clone();
        let (first, second) = (idp.exchanged("gateway", &token, &[]).await, idp.exchanged("gateway", &token, &[]).await);
        let revoke = async |client| {
            answer(idp.authenticated("/revoke", client, &[("token", first.as_str().unwrap())])).await
        };
        assert_eq!(revoke("web").await, refused("invalid_grant"), "only who exchanged it revokes it");
        assert_eq!(revoke("gateway").await.0, StatusCode::OK);
        assert!(!idp.is_active("gateway", &first).await && idp.is_active("gateway", &second).await);
        assert_eq!(idp.userinfo(&second).await.0, StatusCode::OK);
        alice.post("/logout/confirm", &[]).await;
        assert!(!idp.is_active("gateway", &second).await);
        assert_eq!(idp.userinfo(&second).await.0, StatusCode::UNAUTHORIZED);

        let bobs = idp.tokens("bob", "web").await["access_token"].clone();
        let third = idp.exchanged("gateway", &bobs, &[]).await;
        let without: Vec<ClientConfig> = clients();
        admin::clients::declare(&idp.operator, &without, idp.clock.now()).await.unwrap();
        assert_eq!(idp.userinfo(&bobs).await.0, StatusCode::OK);
        assert_eq!(idp.userinfo(&third).await.0, StatusCode::UNAUTHORIZED, "its client is shut out");
    }

    async fn nothing_is_exchanged_unless_a_rule_says_so(db) {
        let idp = TestIdp::with(db, services).await;
        let token = idp.tokens("alice", "web").await["access_token"].clone();
        assert_eq!(idp.exchange("gateway", &token, &[]).await, refused("unauthorized_client"));
        let (_, metadata) = answer(idp.http.get(idp.at("/.well-known/openid-configuration"))).await;
        assert!(!metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT_TYPE.1)));
        let idp = idp_with_services(platform::testing::sqlite()).await;
        let (_, metadata) = answer(idp.http.get(idp.at("/.well-known/openid-configuration"))).await;
        assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT_TYPE.1)));
    }
}
