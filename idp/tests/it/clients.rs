//! Client authentication, RFC 6749 §2.3, and what operators do with clients.

use base64::{Engine, engine::general_purpose::STANDARD};
use idp::{admin::clients, config::ClientConfig};
use platform::{on_each_database, secret::ExposeSecret};
use reqwest::{RequestBuilder, StatusCode};

use crate::fixture::{SECRET, TestIdp, answer, refused};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

fn basic(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

on_each_database! {
    async fn only_the_registered_method_with_the_right_secret_will_do(db) {
        let idp = TestIdp::new(db).await;
        let post = || idp.http.post(idp.at("/token"));
        let good = basic(&format!("robot:{SECRET}"));
        let (status, _) = answer(post().header("authorization", &good).form(&[GRANT])).await;
        assert_eq!(status, StatusCode::OK);

        let in_query = idp.http.post(idp.at(&format!("/token?client_id=robot&client_secret={SECRET}")));
        let wrong: Vec<(RequestBuilder, &str)> = vec![
            (post().form(&[GRANT]), "invalid_client"),
            (post().form(&[GRANT, ("client_id", "robot")]), "invalid_client"),
            (post().form(&[GRANT, ("client_id", "robot"), ("client_secret", SECRET)]), "invalid_client"),
            (post().form(&[GRANT, ("client_id", "unknown"), ("client_secret", SECRET)]), "invalid_client"),
            (post().header("authorization", basic("robot:wrong")).form(&[GRANT]), "invalid_client"),
            (post().header("authorization", basic("robot:")).form(&[GRANT]), "invalid_client"),
            (post().header("authorization", basic("robot")).form(&[GRANT]), "invalid_client"),
            (post().header("authorization", basic("unknown:x")).form(&[GRANT]), "invalid_client"),
            (post().header("authorization", basic(&format!("spa:{SECRET}"))).form(&[GRANT]), "invalid_client"),
            (post().header("authorization", basic(&format!("poster:{SECRET}"))).form(&[GRANT]), "invalid_client"),
            (post().header("authorization", "Bearer x").form(&[GRANT]), "invalid_client"),
            (post().header("authorization", "Basic !").form(&[GRANT]), "invalid_client"),
            (post().header("authorization", &good).form(&[GRANT, ("client_secret", SECRET)]), "invalid_request"),
            (post().header("authorization", &good).form(&[GRANT, ("client_id", "web")]), "invalid_request"),
            (post().header("authorization", &good).header("authorization", &good).form(&[GRANT]), "invalid_request"),
            (in_query.form(&[GRANT]), "invalid_client"),
            (post().form(&[GRANT, ("client_id", "spa"), ("client_secret", "x")]), "invalid_client"),
        ];
        for (index, (request, error)) in wrong.into_iter().enumerate() {
            assert_eq!(answer(request).await, refused(error), "case {index}");
        }
    }

    /// RFC 6749 §5.2: 401 names the scheme.
    async fn a_failed_authentication_is_challenged(db) {
        let idp = TestIdp::new(db).await;
        let response = idp.http.post(idp.at("/token")).basic_auth("robot", Some("wrong")).form(&[GRANT]).send().await.unwrap();
        assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    }

    async fn an_operators_client_gets_its_secret_once_and_works(db) {
        let idp = TestIdp::new(db).await;
        let config = ClientConfig {
            client_id: "https://client.example/a+b".to_owned(),
            grant_types: Some(vec!["client_credentials".to_owned()]),
            scope: Some("tasks:read".to_owned()),
            ..ClientConfig::default()
        };
        let now = idp.clock.now();
        let secret = clients::add(&idp.operator, config.clone(), true, now).await.unwrap().unwrap();
        assert!(secret.expose_secret().starts_with("lks_"));
        let encoded = "https%3A%2F%2Fclient.example%2Fa%2Bb";
        let header = basic(&format!("{encoded}:{}", secret.expose_secret()));
        let (status, _) = answer(idp.http.post(idp.at("/token")).header("authorization", header).form(&[GRANT])).await;
        assert_eq!(status, StatusCode::OK);

        assert!(matches!(clients::add(&idp.operator, config, true, now).await, Err(clients::Error::Taken)));
        let listed = clients::list(&idp.operator).await.unwrap();
        let stored = listed.iter().find(|listed| listed.client.id.0.starts_with("https")).unwrap();
        assert!(!format!("{stored:?}").contains(secret.expose_secret()));
        assert!(matches!(clients::remove(&idp.operator, "web", idp.clock.now()).await, Err(clients::Error::Declared)));
        assert!(matches!(clients::remove(&idp.operator, "nobody", idp.clock.now()).await, Err(clients::Error::Unknown)));
        clients::remove(&idp.operator, "https://client.example/a+b", idp.clock.now()).await.unwrap();
    }

    async fn a_client_that_is_no_longer_declared_is_shut_out(db) {
        let idp = TestIdp::new(db).await;
        clients::declare(&idp.operator, &crate::fixture::clients()[1..], idp.clock.now()).await.unwrap();
        assert!(matches!(clients::find(&idp.operator, "web").await, Err(clients::Error::Unknown)));
        clients::declare(&idp.operator, &crate::fixture::clients(), idp.clock.now()).await.unwrap();
        clients::find(&idp.operator, "web").await.unwrap();
    }

    async fn an_operator_shuts_a_client_out_and_lets_it_in_again(db) {
        let idp = TestIdp::new(db).await;
        let now = idp.clock.now();
        let config = ClientConfig { client_id: "late".to_owned(), redirect_uris: vec![crate::fixture::redirect_uri("late")], first_party: true, ..ClientConfig::default() };
        clients::add(&idp.operator, config, false, now).await.unwrap();
        let code = idp.code("alice", "late").await;
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &crate::fixture::redirect_uri("late")), ("code_verifier", crate::fixture::VERIFIER), ("client_id", "late")];
        let (status, tokens) = answer(idp.http.post(idp.at("/token")).form(&form)).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::OK);

        for _ in 0..2 {
            clients::disable(&idp.operator, "late", now).await.unwrap();
            assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        }
        let disabled = async |id: &str| {
            let listed = clients::list(&idp.operator).await.unwrap();
            listed.iter().find(|listed| listed.client.id.0 == id).unwrap().disabled_at.is_some()
        };
        assert!(disabled("late").await && !disabled("web").await);
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let bob = idp.signed_up("bob").await;
        assert_eq!(bob.authorize("late", &[]).await.status(), StatusCode::BAD_REQUEST);

        clients::enable(&idp.operator, "late", idp.clock.now()).await.unwrap();
        assert!(!disabled("late").await);
        bob.code("late", &[("scope", "openid")]).await;
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED, "what ended stays ended");
        clients::disable(&idp.operator, "late", now).await.unwrap();
        clients::remove(&idp.operator, "late", idp.clock.now()).await.unwrap();
        for gone in [clients::enable(&idp.operator, "late", idp.clock.now()).await, clients::disable(&idp.operator, "late", now).await] {
            assert!(matches!(gone, Err(clients::Error::Unknown)));
        }
    }

    async fn what_is_declared_is_disabled_in_the_configuration_alone(db) {
        let idp = TestIdp::new(db).await;
        let now = idp.clock.now();
        assert!(matches!(clients::disable(&idp.operator, "web", now).await, Err(clients::Error::Declared)));
        clients::find(&idp.operator, "web").await.unwrap();
        clients::declare(&idp.operator, &crate::fixture::clients()[1..], now).await.unwrap();
        assert!(matches!(clients::enable(&idp.operator, "web", idp.clock.now()).await, Err(clients::Error::Declared)));
        assert!(clients::find(&idp.operator, "web").await.is_err());
        clients::remove(&idp.operator, "web", idp.clock.now()).await.unwrap();
    }

    async fn the_id_of_a_client_that_was_shut_out_can_be_given_again(db) {
        let idp = TestIdp::new(db).await;
        let now = idp.clock.now();
        let tokens = idp.tokens("alice", "web").await;
        clients::declare(&idp.operator, &crate::fixture::clients()[1..], now).await.unwrap();
        let config = ClientConfig {
            client_id: "web".to_owned(),
            redirect_uris: vec!["https://new.example/cb".to_owned()],
            ..ClientConfig::default()
        };
        clients::add(&idp.operator, config, true, now).await.unwrap();
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED, "its past is gone");
    }
}

#[test]
fn every_mistake_in_a_client_is_told_at_once() {
    let wrong = ClientConfig {
        client_id: "a b".to_owned(),
        client_secret: Some("short".into()),
        token_endpoint_auth_method: Some("none".to_owned()),
        redirect_uris: vec!["javascript:alert(1)".to_owned(), "https://x.example/#f".to_owned()],
        grant_types: Some(vec!["authorization_code".to_owned(), "password".to_owned()]),
        audience: "not-a-uri".to_owned(),
        ..ClientConfig::default()
    };
    assert_eq!(clients::check(&wrong).len(), 7, "{:#?}", clients::check(&wrong));
}
