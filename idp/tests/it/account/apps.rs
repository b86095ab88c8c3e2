//! `/account/apps`

use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::Value;

use super::{demands_a_log_in, text};
use crate::{
    device::idp_with_devices,
    fixture::{Browser, TestIdp, location, redirected, refused},
};

const PATH: &str = "/account/apps";

/// Tokens of an app that asks for consent.
async fn allowed(idp: &TestIdp, browser: &Browser<'_>) -> Value {
    let asked = browser.authorize("shop", &[("scope", "openid email tasks:read offline_access")]).await;
    let page = browser.get(&location(&asked)).await;
    let allowed = browser.submit(page, &[("decision", "allow")]).await;
    idp.redeem("shop", &redirected(&allowed).1["code"], &[]).await.1
}

on_each_database! {
    async fn people_see_what_they_allowed_and_take_it_back(db) {
        let idp = TestIdp::new(db).await;
        let (alice, bob) = (idp.signed_up("alice").await, idp.signed_up("bob").await);
        assert!(text(alice.get(PATH).await).await.contains("No app has access"));
        let (tokens, bobs) = (allowed(&idp, &alice).await, allowed(&idp, &bob).await);
        let (_, others) = idp.redeem("web", &alice.code("web", &[]).await, &[]).await;
        let page = text(alice.get(PATH).await).await;
        for shown in ["The shop app", "shop.example", "See your e-mail address", "See your tasks", "while you are away", "The web app", "just now"] {
            assert!(page.contains(shown), "no {shown} in {page}");
        }

        let taken = alice.post("/account/apps/disconnect", &[("client_id", "shop")]).await;
        assert_eq!(location(&taken), PATH);
        let page = text(alice.get(PATH).await).await;
        assert!(!page.contains("The shop app") && page.contains("The web app") && page.contains("role=\"status\""), "{page}");
        assert_eq!(idp.refresh("shop", &tokens["refresh_token"]).await, refused("invalid_grant"));
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(idp.userinfo(&others["access_token"]).await.0, StatusCode::OK, "other apps keep what they have");
        assert_eq!(idp.userinfo(&bobs["access_token"]).await.0, StatusCode::OK, "and other people");
        assert!(location(&alice.authorize("shop", &[]).await).starts_with("/consent"), "it is asked for again");
        for nothing in ["shop", "nobody"] {
            let again = alice.post("/account/apps/disconnect", &[("client_id", nothing)]).await;
            assert_eq!(again.status(), StatusCode::NOT_FOUND);
        }
        demands_a_log_in(&idp, &alice, PATH, false).await;
    }

    async fn an_app_of_ours_is_shown_as_long_as_it_holds_something(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let (_, tokens) = idp.redeem("web", &alice.code("web", &[]).await, &[]).await;
        idp.clock.advance(chrono::TimeDelta::days(3));
        let (_, tokens) = idp.refresh("web", &tokens["refresh_token"]).await;
        assert!(text(alice.get(PATH).await).await.contains("Last used <time"));
        alice.post("/account/apps/disconnect", &[("client_id", "web")]).await;
        assert!(text(alice.get(PATH).await).await.contains("No app has access"));
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"));
    }

    async fn a_device_is_disconnected_by_itself(db) {
        let idp = idp_with_devices(db).await;
        let (alice, bob) = (idp.signed_up("alice").await, idp.signed_up("bob").await);
        let mut held = Vec::new();
        for browser in [&alice, &alice, &bob] {
            let device = idp.device("tv", "openid tasks:read offline_access").await;
            browser.decide(&device, "allow").await;
            held.push(idp.poll("tv", &device).await.1);
        }
        let page = text(alice.get(PATH).await).await;
        assert_eq!((page.matches("The tv").count() > 0, page.matches("A device, connected from 127.0.0.1").count()), (true, 2), "{page}");
        let (_, rest) = page.split_once("name=\"device\" value=\"").unwrap();
        let first = rest.split('"').next().unwrap();

        let not_his = bob.post("/account/apps/disconnect-device", &[("device", first)]).await;
        assert_eq!(not_his.status(), StatusCode::NOT_FOUND);
        let disconnect = async || alice.post("/account/apps/disconnect-device", &[("device", first)]).await;
        assert_eq!(location(&disconnect().await), PATH);
        assert_eq!(disconnect().await.status(), StatusCode::NOT_FOUND);
        let mut go_on = Vec::new();
        for tokens in &held {
            go_on.push(idp.refresh("tv", &tokens["refresh_token"]).await.0 == StatusCode::OK);
        }
        assert_eq!(go_on, [false, true, true]);
    }
}
