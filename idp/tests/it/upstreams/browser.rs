//! The whole way in a real browser, which applies each page's policy to every redirect that follows its form.

use axum::{Router, routing::get};
use idp::{admin::clients::declare, config::ClientConfig};
use platform::{
    server::Shutdown,
    testing::{Browser, Options, TestServer, browser, serve, sqlite},
};

use super::{idp_with, upstream};
use crate::fixture::{PASSWORD, SECRET, TestIdp, VERIFIER, code_challenge};

/// An app, a Latchkey that it trusts, and another one that this one's people come from.
struct Three {
    app: TestServer,
    idp: TestIdp,
    there: TestIdp,
}

impl Three {
    async fn new() -> Self {
        let (listener, url) = TestServer::reserve();
        let app =
            serve(listener, &Router::new().route("/cb", get(async || "You are in")), Shutdown::default());
        // Cookies do not know ports: it has another name.
        let other_name = |url: &str| url.replace("localhost", "127.0.0.1");
        let mut there = TestIdp::with(sqlite(), |config| config.issuer = other_name(&config.issuer)).await;
        there.url = other_name(&there.url);
        let idp = idp_with(sqlite(), vec![upstream("there", &there.url)], |config| {
            config.clients[0].redirect_uris.push(format!("{url}/cb"));
        })
        .await;
        let client = ClientConfig {
            client_id: "downstream".to_owned(),
            client_secret: Some(SECRET.into()),
            redirect_uris: vec![idp.at("/login/upstream/there/callback")],
            first_party: true,
            ..ClientConfig::default()
        };
        declare(&there.operator, &[client], there.clock.now()).await.unwrap();
        there.signed_up("alice").await;
        Self { app, idp, there }
    }

    /// The app sends somebody here, who logs in there.
    async fn pass(&self, browser: &Browser) {
        let redirect_uri = format!("{}/cb", self.app.url);
        let challenge = code_challenge(VERIFIER);
        let request = format!(
            "/authorize?response_type=code&client_id=web&scope=openid&redirect_uri={redirect_uri}\
             &prompt=login&code_challenge={challenge}&code_challenge_method=S256"
        );
        browser.goto(&self.idp.at(&request)).await.unwrap();
        browser.click("form[action='/login/upstream/there'] button").await;
        browser.wait_for_address(&format!("{}/login", self.there.url)).await;
        browser.fill("email", "alice@example.com").await;
        browser.fill("password", PASSWORD).await;
        browser.click("#login-submit").await;
    }
}

async fn there_and_back(options: Options) {
    let three = Three::new().await;
    let signup = three.idp.at("/signup/upstream?arrival=");
    let arrived = format!("{}/cb?code=", three.app.url);
    browser(options, async |browser| {
        three.pass(browser).await;
        browser.wait_for_address(&signup).await;
        browser.fill("name", "Alice").await;
        browser.fill("email", "alice@example.com").await;
        browser.click("#signup-submit").await;
        browser.wait_for_address(&arrived).await;

        three.pass(browser).await;
        browser.wait_for_address(&arrived).await;
        browser.wait_for_text("You are in").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_two_latchkeys_and_back_in_a_real_browser() {
    there_and_back(Options::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_two_latchkeys_and_back_without_scripts() {
    there_and_back(Options { javascript: false, ..Options::default() }).await;
}
