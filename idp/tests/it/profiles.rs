//! The rules that a client's `profile` holds it to; above all those of FAPI 2.0.

use chrono::TimeDelta;
use idp::{config::ClientConfig, keys::Algorithm, store::clients::Profile};
use platform::{on_each_database, testing::TestDb};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::{
    fixture::{
        Browser, TestIdp, VERIFIER, answer, code_challenge, jwt_header, redirect_uri, redirected, refused,
    },
    signer::Key,
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn keyed(id: &str, profile: Profile, key: &Key) -> ClientConfig {
    ClientConfig {
        client_id: id.to_owned(),
        profile: Some(profile),
        jwks: Some(json!({"keys": [key.jwk("key")]})),
        redirect_uris: vec![redirect_uri(id)],
        scope: Some("openid profile".to_owned()),
        first_party: true,
        ..ClientConfig::default()
    }
}

async fn idp_with(db: TestDb, profile: Profile, key: &Key) -> TestIdp {
    TestIdp::with(db, |config| config.clients.push(keyed("bank", profile, key))).await
}

fn assertion(idp: &TestIdp, key: &Key, audience: &Value) -> String {
    let now = idp.clock.now().timestamp();
    let claims =
        json!({"iss": "bank", "sub": "bank", "aud": audience, "jti": Uuid::now_v7(), "exp": now + 60});
    key.sign(&json!({"alg": key.alg()}), &claims)
}

fn proof(idp: &TestIdp, key: &Key, path: &str) -> String {
    let claims = json!({"jti": Uuid::now_v7(), "htm": "POST", "htu": idp.at(path), "iat": idp.clock.now().timestamp()});
    key.sign(&json!({"typ": "dpop+jwt", "alg": key.alg(), "jwk": key.public()}), &claims)
}

/// Posts as `bank`, with an assertion for the issuer and, if there is one, a proof by `dpop`.
async fn post(
    idp: &TestIdp,
    key: &Key,
    dpop: Option<&Key>,
    path: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, Value) {
    let assertion = assertion(idp, key, &json!(idp.url));
    let form = [fields, &[("client_assertion_type", TYPE), ("client_assertion", &assertion)]].concat();
    let mut request = idp.http.post(idp.at(path)).form(&form);
    if let Some(dpop) = dpop {
        request = request.header("dpop", proof(idp, dpop, path));
    }
    answer(request).await
}

/// A code for `openid`, whatever else the browser brings.
async fn pushed_code(idp: &TestIdp, key: &Key, browser: &Browser<'_>) -> String {
    let (uri, challenge) = (redirect_uri("bank"), code_challenge(VERIFIER));
    let request = [
        ("response_type", "code"),
        ("redirect_uri", uri.as_str()),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let (status, pushed) = post(idp, key, None, "/par", &request).await;
    assert_eq!(status, StatusCode::CREATED, "{pushed}");
    let request_uri = pushed["request_uri"].as_str().unwrap();
    let arrival = [("client_id", "bank"), ("request_uri", request_uri), ("scope", "openid profile")];
    let arrived = browser.get(Url::parse_with_params(&idp.at("/authorize"), arrival).unwrap().as_str()).await;
    redirected(&arrived).1["code"].clone()
}

on_each_database! {
    async fn a_fapi2_client_gets_bound_tokens_without_rs256(db) {
        let (key, dpop) = (Key::generate("PS256"), Key::generate("ES256"));
        let idp = idp_with(db, Profile::Fapi2, &key).await;
        let browser = idp.signed_up("alice").await;
        let code = pushed_code(&idp, &key, &browser).await;
        let uri = redirect_uri("bank");
        let redemption = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", uri.as_str()), ("code_verifier", VERIFIER)];
        assert_eq!(post(&idp, &key, None, "/token", &redemption).await, refused("invalid_dpop_proof"), "Bearer is refused");
        assert_eq!(post(&idp, &key, Some(&Key::generate("RS256")), "/token", &redemption).await, refused("invalid_dpop_proof"), "and RS256");
        let (status, tokens) = post(&idp, &key, Some(&dpop), "/token", &redemption).await;
        assert_eq!((status, &tokens["token_type"], &tokens["scope"]), (StatusCode::OK, &json!("DPoP"), &json!("openid")), "{tokens}");
        for token in ["access_token", "id_token"] {
            assert_eq!(jwt_header(&tokens[token])["alg"], "PS256", "{token}");
        }
    }

    /// FAPI 2.0 §5.3.2.1: bound by who the client is, a refresh token is not rotated; access tokens stay bound.
    async fn a_fapi2_client_keeps_its_refresh_token(db) {
        let (key, dpop) = (Key::generate("ES256"), Key::generate("ES256"));
        let idp = idp_with(db, Profile::Fapi2, &key).await;
        let browser = idp.signed_up("alice").await;
        let code = pushed_code(&idp, &key, &browser).await;
        let uri = redirect_uri("bank");
        let redemption = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", uri.as_str()), ("code_verifier", VERIFIER)];
        let (_, tokens) = post(&idp, &key, Some(&dpop), "/token", &redemption).await;
        let token = tokens["refresh_token"].as_str().unwrap();
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", token)];

        assert_eq!(post(&idp, &key, None, "/token", &refresh).await, refused("invalid_dpop_proof"), "Bearer is refused");
        for days in [1, 6, 6] {
            idp.clock.advance(TimeDelta::days(days));
            let (status, refreshed) = post(&idp, &key, Some(&dpop), "/token", &refresh).await;
            assert_eq!((status, &refreshed["token_type"], &refreshed["refresh_token"]), (StatusCode::OK, &json!("DPoP"), &json!(token)), "{refreshed}");
            assert_eq!(jwt_header(&refreshed["access_token"])["alg"], "PS256");
        }
        let races = futures_util::future::join_all((0..20).map(|_| post(&idp, &key, Some(&dpop), "/token", &refresh))).await;
        assert!(races.iter().all(|(status, _)| *status == StatusCode::OK), "there is no window that one could miss");
        let revoked = post(&idp, &key, None, "/revoke", &[("token", token)]).await;
        assert_eq!(revoked.0, StatusCode::OK);
        assert_eq!(post(&idp, &key, Some(&dpop), "/token", &refresh).await, refused("invalid_grant"));
    }

    async fn the_refresh_token_of_a_fapi2_client_expires_when_it_is_not_used(db) {
        let (key, dpop) = (Key::generate("ES256"), Key::generate("ES256"));
        let idp = TestIdp::with(db, |config| {
            config.clients.push(keyed("bank", Profile::Fapi2, &key));
            (config.sessions.idle, config.sessions.lifetime) = (400 * 86400, 400 * 86400);
        }).await;
        let code = pushed_code(&idp, &key, &idp.signed_up("alice").await).await;
        let uri = redirect_uri("bank");
        let redemption = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", uri.as_str()), ("code_verifier", VERIFIER)];
        let (_, tokens) = post(&idp, &key, Some(&dpop), "/token", &redemption).await;
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        for (days, good) in [(29, true), (29, true), (31, false)] {
            idp.clock.advance(TimeDelta::days(days));
            let (status, _) = post(&idp, &key, Some(&dpop), "/token", &refresh).await;
            assert_eq!(status == StatusCode::OK, good, "after {days} days");
        }
    }

    async fn a_fapi2_client_has_to_push_and_to_use_pkce(db) {
        let key = Key::generate("ES256");
        let idp = idp_with(db, Profile::Fapi2, &key).await;
        let browser = idp.signed_up("alice").await;
        let (_, parameters) = redirected(&browser.authorize("bank", &[]).await);
        assert_eq!(parameters["error"], "invalid_request");
        let uri = redirect_uri("bank");
        let without = [("response_type", "code"), ("redirect_uri", uri.as_str()), ("scope", "openid")];
        assert_eq!(post(&idp, &key, None, "/par", &without).await, refused("invalid_request"));
    }

    async fn a_fapi2_client_cannot_sign_with_rs256(db) {
        let key = Key::generate("RS256");
        let idp = idp_with(db, Profile::Fapi2, &key).await;
        let uri = redirect_uri("bank");
        assert_eq!(post(&idp, &key, None, "/par", &[("redirect_uri", &uri)]).await, refused("invalid_client"));
    }

    /// RFC 7523 §3 as each profile narrows it: for whom an assertion may be meant.
    async fn the_audience_of_an_assertion_is_what_the_profile_says(db) {
        let expected = [(Profile::Oidc, [true, true, true, true, true]), (Profile::Oauth21, [true, true, false, false, false]), (Profile::Fapi2, [true, false, false, false, false])];
        for (profile, expected) in expected {
            let key = Key::generate("ES256");
            let db = if db.url.starts_with("sqlite") { platform::testing::sqlite() } else { platform::testing::postgres().await.unwrap() };
            let idp = idp_with(db, profile, &key).await;
            let audiences = [json!(idp.url), json!([idp.url]), json!(idp.at("/token")), json!([idp.at("/token")]), json!(idp.at("/par"))];
            for (audience, good) in audiences.iter().zip(expected) {
                let assertion = assertion(&idp, &key, audience);
                let form = [("token", "x"), ("client_assertion_type", TYPE), ("client_assertion", &assertion)];
                let (status, _) = answer(idp.http.post(idp.at("/revoke")).form(&form)).await;
                assert_eq!(status == StatusCode::OK, good, "{profile:?} with {audience}");
            }
        }
    }

    async fn pkce_is_demanded_except_of_confidential_clients_of_the_profile_oidc(db) {
        let key = Key::generate("ES256");
        let idp = TestIdp::with(db, |config| {
            config.clients.push(keyed("classic", Profile::Oidc, &key));
            config.clients.push(keyed("modern", Profile::Oauth21, &key));
        }).await;
        let browser = idp.signed_up("alice").await;
        let without = [("code_challenge", ""), ("code_challenge_method", "")];
        for (client, good) in [("classic", true), ("modern", false), ("spa", false), ("web", true)] {
            let (_, parameters) = redirected(&browser.authorize(client, &without).await);
            assert_eq!(parameters.contains_key("code"), good, "{client}: {parameters:?}");
        }
    }
}

#[test]
fn settings_that_a_profile_rules_out_are_refused() {
    let good = keyed("bank", Profile::Fapi2, &Key::generate("ES256"));
    let wrong = |client: ClientConfig| idp::admin::clients::check(&client).len();
    assert_eq!(wrong(good.clone()), 0);
    let rs256 = ClientConfig { id_token_signed_response_alg: Some(Algorithm::RS256), ..good.clone() };
    assert_eq!(wrong(rs256), 1);
    let secret = ClientConfig { jwks: None, client_secret: Some("x".repeat(32).into()), ..good.clone() };
    assert_eq!(wrong(secret), 1);
    assert_eq!(wrong(ClientConfig { jwks: None, ..good.clone() }), 1, "public");
    assert_eq!(wrong(ClientConfig { require_pkce: Some(false), ..good }), 1);
}
