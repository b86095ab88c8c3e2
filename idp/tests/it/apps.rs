//! The apps that people find on their account page: third-party-initiated login, OpenID Connect Core §4.

use idp::config::ClientConfig;
use platform::on_each_database;

use crate::fixture::TestIdp;

on_each_database! {
    async fn people_find_their_apps_on_their_account_page(db) {
        let idp = TestIdp::with(db, |config| {
            // `web` is ours; `shop` has to be allowed something first.
            for (index, uri) in [(0, "https://web.example/login"), (2, "https://shop.example/start?from=account")] {
                config.clients[index] = ClientConfig { initiate_login_uri: Some(uri.to_owned()), ..config.clients[index].clone() };
            }
        }).await;
        let iss: String = url::form_urlencoded::byte_serialize(idp.url.as_bytes()).collect();
        let web = format!("<a href=\"https://web.example/login?iss={iss}\"><bdi>The web app</bdi> <span>web.example</span></a>");
        let shop = format!("<a href=\"https://shop.example/start?from=account&#38;iss={iss}\"><bdi>The shop app</bdi> <span>shop.example</span></a>");
        let alice = idp.signed_up("alice").await;
        let account = async || alice.get("/account").await.text().await.unwrap();
        let before = account().await;
        assert!(before.contains(&web) && !before.contains("shop.example") && !before.contains("The other app"), "{before}");

        let consent = alice.authorize("shop", &[]).await;
        let page = alice.get(consent.headers()["location"].to_str().unwrap()).await;
        alice.submit(page, &[("decision", "allow")]).await;
        let after = account().await;
        assert!(after.contains(&web) && after.contains(&shop), "{after}");

        let bob = idp.signed_up("bob").await;
        assert!(!bob.get("/account").await.text().await.unwrap().contains("shop.example"), "his own consent counts");
        idp::admin::users::disconnect(&idp.operator, "alice@example.com", "shop", idp.clock.now()).await.unwrap();
        assert!(!account().await.contains("shop.example"));
    }
}

#[test]
fn an_app_begins_its_log_ins_at_an_address_of_the_web() {
    let client = |uri: &str| ClientConfig {
        client_id: "app".to_owned(),
        redirect_uris: vec!["https://app.example/cb".to_owned()],
        initiate_login_uri: Some(uri.to_owned()),
        ..ClientConfig::default()
    };
    let wrong = |uri: &str| idp::admin::clients::check(&client(uri)).len();
    assert_eq!(wrong("https://app.example/start?a=b"), 0);
    for bad in ["javascript:alert(1)", "http://app.example/", "https://app.example/#x", "/start", ""] {
        assert_eq!(wrong(bad), 1, "{bad:?}");
    }
}
