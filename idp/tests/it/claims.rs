//! The `claims` parameter, `acr` and `amr`: OpenID Connect Core §5.5 and §2.

use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::fixture::{Browser, TestIdp, claims, location, redirected};

impl Browser<'_> {
    /// Tokens for a request with this `claims` parameter, of somebody who is logged in.
    async fn tokens_with(&self, client: &str, scope: &str, wanted: &Value) -> Value {
        let code = self.code(client, &[("scope", scope), ("claims", &wanted.to_string())]).await;
        let (status, tokens) = self.idp.redeem(client, &code, &[]).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        tokens
    }
}

on_each_database! {
    async fn claims_are_given_where_they_were_asked_for(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let wanted = json!({"userinfo": {"name": null}, "id_token": {"email": {"essential": true}, "shoe_size": null}});
        let tokens = alice.tokens_with("web", "openid", &wanted).await;
        let (_, person) = idp.userinfo(&tokens["access_token"]).await;
        assert_eq!((&person["name"], person.get("email")), (&json!("alice"), None), "{person}");
        let id_token = claims(&tokens["id_token"]);
        assert_eq!((&id_token["email"], id_token.get("name")), (&json!("alice@example.com"), None), "{id_token}");

        // A refresh gives the same.
        let (_, refreshed) = idp.refresh("web", &tokens["refresh_token"]).await;
        assert_eq!(claims(&refreshed["id_token"])["email"], "alice@example.com");
        assert_eq!(idp.userinfo(&refreshed["access_token"]).await.1["name"], "alice");

        let without = alice.tokens_with("web", "openid", &json!({})).await;
        assert_eq!(idp.userinfo(&without["access_token"]).await.1.as_object().unwrap().len(), 1, "sub alone");
    }

    /// Core §5.1 and §5.4: what is known, by the scope that asks for it, in the right JSON types.
    async fn standard_claims_are_given_by_their_scopes(db) {
        let idp = TestIdp::with(db, |config| {
            config.clients[0].scope = Some("openid profile email phone address offline_access".to_owned());
        }).await;
        let alice = idp.signed_up("alice").await;
        let known = [
            ("given_name", "Alice"),
            ("website", "https://alice.example/"),
            ("birthdate", "1990-02-03"),
            ("locale", "de-CH"),
            ("phone_number", "+41 44 668 18 00"),
            ("phone_number_verified", "true"),
            ("address.street_address", "Bahnhofstrasse 1"),
            ("address.country", "CH"),
        ];
        for (claim, text) in known {
            idp::admin::users::set_claim(&idp.operator, "alice@example.com", claim, Some(text), idp.clock.now()).await.unwrap();
        }
        let about = async |scope: &str| {
            let tokens = alice.tokens_with("web", scope, &json!({})).await;
            let (_, mut person) = idp.userinfo(&tokens["access_token"]).await;
            person.as_object_mut().unwrap().remove("sub");
            person
        };
        let mut profile = about("openid profile").await;
        assert!(profile["updated_at"].is_i64());
        profile.as_object_mut().unwrap().remove("updated_at");
        assert_eq!(profile, json!({"name": "alice", "given_name": "Alice", "website": "https://alice.example/", "birthdate": "1990-02-03", "locale": "de-CH"}));
        assert_eq!(about("openid phone").await, json!({"phone_number": "+41 44 668 18 00", "phone_number_verified": true}));
        assert_eq!(about("openid address").await, json!({"address": {"street_address": "Bahnhofstrasse 1", "country": "CH"}}));
        assert_eq!(about("openid email").await, json!({"email": "alice@example.com", "email_verified": false}));
        idp::admin::users::set_claim(&idp.operator, "alice@example.com", "phone_number", None, idp.clock.now()).await.unwrap();
        assert_eq!(about("openid phone").await, json!({}), "what is not known is left out");

        // One by one, in the ID token too.
        let wanted = json!({"id_token": {"address": null}, "userinfo": {"given_name": {"essential": true}}});
        let tokens = alice.tokens_with("web", "openid", &wanted).await;
        assert_eq!(claims(&tokens["id_token"])["address"]["country"], "CH");
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.1["given_name"], "Alice");
    }

    async fn every_id_token_says_how_the_person_logged_in(db) {
        let idp = TestIdp::new(db).await;
        let id_token = claims(&idp.tokens("alice", "web").await["id_token"]);
        assert_eq!((&id_token["acr"], &id_token["amr"]), (&json!("urn:latchkey:acr:1fa"), &json!(["pwd"])));
        let metadata: Value = idp.http.get(idp.at("/.well-known/openid-configuration")).send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["acr_values_supported"], json!(["urn:latchkey:acr:1fa", "urn:latchkey:acr:2fa"]));
        assert_eq!(metadata["claims_parameter_supported"], true);
        for claim in ["acr", "name", "email", "email_verified", "updated_at"] {
            assert!(metadata["claims_supported"].as_array().unwrap().contains(&json!(claim)), "{claim}");
        }
    }

    async fn an_acr_that_is_essential_and_not_ours_is_an_error_and_one_that_is_not_essential_none(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let asked = async |acr: Value| {
            let wanted = json!({"id_token": {"acr": acr}}).to_string();
            redirected(&alice.authorize("web", &[("claims", &wanted)]).await).1
        };
        let refused = asked(json!({"essential": true, "values": ["phr"]})).await;
        assert_eq!(refused["error"], "unmet_authentication_requirements");
        for good in [
            json!({"essential": true, "values": ["phr", "urn:latchkey:acr:1fa"]}),
            json!({"essential": true}),
            json!({"values": ["phr"]}),
            Value::Null,
        ] {
            assert!(asked(good.clone()).await.contains_key("code"), "{good}");
        }
        let voluntary = alice.authorize("web", &[("acr_values", "phr urn:latchkey:acr:1fa")]).await;
        assert!(redirected(&voluntary).1.contains_key("code"));
    }

    async fn an_id_token_for_somebody_else_is_not_given(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let bob = claims(&idp.tokens("bob", "web").await["id_token"])["sub"].clone();
        let me = claims(&alice.tokens_with("web", "openid", &json!({})).await["id_token"])["sub"].clone();
        let asked = async |sub: &Value| {
            let wanted = json!({"id_token": {"sub": {"value": sub}}}).to_string();
            redirected(&alice.authorize("web", &[("claims", &wanted), ("prompt", "none")]).await).1
        };
        assert!(asked(&me).await.contains_key("code"));
        for other in [bob, json!("nobody")] {
            assert_eq!(asked(&other).await["error"], "login_required", "{other}");
        }
    }

    /// `scope` in a client's registration is all that it may ask for, by whatever way.
    async fn a_client_gets_no_claims_that_it_may_not_ask_for_by_scope(db) {
        let idp = TestIdp::with(db, |config| {
            config.clients[0].scope = Some("openid profile".to_owned());
        }).await;
        let alice = idp.signed_up("alice").await;
        let wanted = json!({"userinfo": {"email": null, "name": null}, "id_token": {"email": {"essential": true}}});
        let tokens = alice.tokens_with("web", "openid", &wanted).await;
        assert!(claims(&tokens["id_token"]).get("email").is_none());
        let (_, person) = idp.userinfo(&tokens["access_token"]).await;
        assert_eq!((&person["name"], person.get("email")), (&json!("alice"), None), "{person}");
    }

    async fn malformed_claims_are_refused(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        for malformed in ["x", "[]", "{\"userinfo\": []}", "{\"id_token\": {\"acr\": 1}}"] {
            let (_, parameters) = redirected(&alice.authorize("web", &[("claims", malformed)]).await);
            assert_eq!(parameters["error"], "invalid_request", "{malformed}");
        }
    }

    /// A client that asks for a single claim is asking for what the scope would give.
    async fn consent_covers_claims_that_no_scope_asks_for(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let wanted = json!({"userinfo": {"email": null}}).to_string();
        let asked = [("scope", "openid"), ("claims", wanted.as_str())];
        let place = location(&alice.authorize("shop", &asked).await);
        assert!(place.starts_with("/consent?request="), "{place}");
        let page = alice.get(&place).await.text().await.unwrap();
        assert!(page.contains("See your e-mail address") && !page.contains("See your name"));
        let allowed = alice.submit(alice.get(&place).await, &[("decision", "allow")]).await;
        let (_, tokens) = idp.redeem("shop", &redirected(&allowed).1["code"], &[]).await;
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.1["email"], "alice@example.com");
        assert_eq!(tokens["scope"], "openid", "the scope is no wider for it");
        assert!(redirected(&alice.authorize("shop", &asked).await).1.contains_key("code"), "it is remembered");
        let more = json!({"userinfo": {"name": null}}).to_string();
        assert!(location(&alice.authorize("shop", &[("scope", "openid"), ("claims", &more)]).await).starts_with("/consent"));
    }
}
