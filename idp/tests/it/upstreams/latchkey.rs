//! Another Latchkey, as it stands in `docs/upstream.md`.

use idp::{admin::clients::declare, config::ClientConfig};
use platform::{
    on_each_database,
    testing::{TestDb, sqlite},
};
use reqwest::StatusCode;

use super::{idp_with, leads_to, refused, upstream};
use crate::fixture::{Browser, SECRET, TestIdp, claims, location, redirected};

/// Another one, and one whose people may come from there.
async fn two(db: TestDb) -> (TestIdp, TestIdp) {
    let there = TestIdp::new(sqlite()).await;
    let idp = idp_with(db, vec![upstream("there", &there.url)], |_| {}).await;
    let client = ClientConfig {
        client_id: "downstream".to_owned(),
        name: "Downstream".to_owned(),
        client_secret: Some(SECRET.into()),
        redirect_uris: vec![idp.at("/login/upstream/there/callback")],
        first_party: true,
        ..ClientConfig::default()
    };
    declare(&there.operator, &[client], there.clock.now()).await.unwrap();
    (idp, there)
}

/// Whoever is logged in `there` comes back `here`; where that leads.
async fn pass(here: &Browser<'_>, there: &Browser<'_>, carried: &[(&str, &str)]) -> String {
    let asked = here.sent_to("there", carried).await;
    let answer = there.get(asked.as_str()).await;
    leads_to(here.get(&location(&answer)).await).await
}

on_each_database! {
    async fn people_of_another_latchkey_make_an_account_once_and_then_log_in(db) {
        let (idp, there) = two(db).await;
        let alice_there = there.signed_up("alice").await;
        let alice = idp.browser();
        let place = pass(&alice, &alice_there, &[]).await;
        assert!(place.starts_with("/signup/upstream?arrival=lka_"), "{place}");
        assert_eq!(alice.who().await, None, "nothing is made before they say so");
        let page = alice.get(&place).await;
        let made = alice.submit(page, &[("name", "Alice"), ("email", "alice@example.com")]).await;
        assert_eq!(location(&made), "/account");
        assert_eq!(alice.who().await.as_deref(), Some("alice@example.com"));
        assert_eq!(alice.get(&place).await.status(), StatusCode::BAD_REQUEST, "an arrival is good once");

        let elsewhere = idp.browser();
        assert_eq!(pass(&elsewhere, &alice_there, &[]).await, "/account");
        assert_eq!(elsewhere.who().await.as_deref(), Some("alice@example.com"));
        let guess = elsewhere.post("/logout/confirm", &[]).await;
        assert_eq!(guess.status(), StatusCode::OK);
        for password in ["", " ", "alice", "correct horse battery staple"] {
            assert_eq!(idp.browser().log_in("/login", "alice", password).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        }
    }

    async fn an_app_that_waits_gets_its_code_at_the_end(db) {
        let (idp, there) = two(db).await;
        let bob_there = there.signed_up("bob").await;
        let bob = idp.browser();
        let (_, waiting) = redirected(&bob.authorize("web", &[]).await);
        let carried = [("request", waiting["request"].as_str())];
        let place = pass(&bob, &bob_there, &carried).await;
        let page = bob.get(&place).await;
        let made = location(&bob.submit(page, &[("name", "Bob"), ("email", "bob@example.com")]).await);
        assert!(made.starts_with("/authorize/resume?request="), "{made}");
        let (_, answer) = redirected(&bob.get(&made).await);
        let (status, tokens) = idp.redeem("web", &answer["code"], &[]).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.1["name"], "Bob");
        assert_eq!(claims(&tokens["id_token"])["acr"], "urn:latchkey:acr:1fa");
    }

    async fn who_is_disabled_here_is_not_let_in_from_there(db) {
        let (idp, there) = two(db).await;
        let eve_there = there.signed_up("eve").await;
        let eve = idp.browser();
        let place = pass(&eve, &eve_there, &[]).await;
        let page = eve.get(&place).await;
        eve.submit(page, &[("name", "Eve"), ("email", "eve@example.com")]).await;
        idp::admin::users::disable(&idp.operator, "eve@example.com", idp.clock.now()).await.unwrap();
        let asked = eve.sent_to("there", &[]).await;
        let answer = eve_there.get(asked.as_str()).await;
        eve.get(&location(&answer)).await;
        assert_eq!(eve.who().await, None);
    }

    async fn who_stops_at_the_other_one_can_log_in_another_way(db) {
        let (idp, there) = two(db).await;
        let browser = idp.browser();
        let asked = browser.sent_to("there", &[]).await;
        let stranger = there.browser();
        let (_, waiting) = redirected(&stranger.get(asked.as_str()).await);
        let cancelled = stranger.post("/authorize/cancel", &[("request", waiting["request"].as_str())]).await;
        let page = browser.get(&location(&cancelled)).await;
        assert_eq!(refused(page).await, (403, "You are not logged in".to_owned()));
    }
}
