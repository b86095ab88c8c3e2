//! In a real browser, which obeys the pages' policies: with scripts and without.

use axum::{Router, extract::RawQuery, routing};
use idp::config::ClientConfig;
use platform::{
    server::Shutdown,
    testing::{Browser, Options, TestServer, browser, serve, sqlite},
};

use super::{
    device,
    visitor::{EMAIL, PASSWORD, Place},
};

/// An app on another origin that shows what it was sent.
struct App {
    server: TestServer,
}

impl App {
    fn start() -> Self {
        let callback =
            routing::get(async |RawQuery(query): RawQuery| format!("GET {}", query.unwrap_or_default()))
                .post(async |body: String| format!("POST {body}"));
        let (listener, _) = TestServer::reserve();
        let router = Router::new().route("/callback", callback);
        Self { server: serve(listener, &router, Shutdown::default()) }
    }

    fn callback(&self) -> String {
        format!("{}/callback", self.server.url)
    }

    async fn place(&self) -> Place {
        let callback = self.callback();
        Place::with(sqlite(), |config| {
            config.clients.push(ClientConfig {
                client_id: "app".to_owned(),
                name: "The App".to_owned(),
                redirect_uris: vec![callback],
                ..ClientConfig::default()
            });
        })
        .await
    }

    fn authorize(&self, place: &Place, more: &str) -> String {
        format!(
            "{}/authorize?response_type=code&client_id=app&scope=openid&redirect_uri={}&code_challenge_method=S256\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&{more}",
            place.config.issuer,
            self.callback()
        )
    }
}

async fn sign_up(browser: &Browser) {
    browser.fill("name", "Alice").await;
    browser.fill("email", EMAIL).await;
    browser.fill("password", PASSWORD).await;
    browser.click("#signup-submit").await;
}

/// Browsers apply `form-action` to the whole chain of redirects that a form begins.
async fn sign_up_consent_log_out_and_log_in_again(javascript: bool) {
    let app = App::start();
    let place = app.place().await;
    browser(Options { javascript, window: (360, 740), ..Options::default() }, async |browser| {
        browser.goto(&app.authorize(&place, "prompt=create")).await.unwrap();
        sign_up(browser).await;
        browser.wait_for_text("Allow The App in?").await;
        browser.click("#consent-allow").await;
        browser.wait_for_text("GET code=lkc_").await;

        browser.goto(&format!("{}/account", place.config.issuer)).await.unwrap();
        browser.click("#logout-confirm").await;
        browser.wait_for_text("You are logged out").await;

        browser.goto(&app.authorize(&place, "response_mode=form_post")).await.unwrap();
        browser.fill("email", EMAIL).await;
        browser.fill("password", PASSWORD).await;
        browser.click("#login-submit").await;
        if !javascript {
            browser.wait_for_text("One moment").await;
            browser.click("main button").await;
        }
        browser.wait_for_text("POST code=lkc_").await;

        browser.goto(&app.authorize(&place, "prompt=login")).await.unwrap();
        browser.click("#login-cancel").await;
        browser.wait_for_text("GET error=access_denied").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_an_app_and_back_works_with_scripts() {
    sign_up_consent_log_out_and_log_in_again(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_an_app_and_back_works_without_scripts() {
    sign_up_consent_log_out_and_log_in_again(false).await;
}

/// Without scripts and without a mouse.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_can_be_connected_by_keyboard_alone() {
    let place = Place::with(sqlite(), device::with_tv).await;
    let code = device::code(&place, "192.0.2.1").await;
    browser(Options { javascript: false, window: (360, 740), ..Options::default() }, async |browser| {
        let press = async |keys: &str| browser.active_element().await.unwrap().send_keys(keys).await.unwrap();
        let (tab, enter) = ("\u{e004}", "\u{e007}");
        browser.goto(&format!("{}/device", place.config.issuer)).await.unwrap();
        browser.click("footer a").await;
        sign_up(browser).await;
        browser.wait_css("#device-submit").await;
        press(&format!("{}{enter}", code.to_lowercase())).await;
        browser.wait_for_text("Allow Big <TV> in?").await;
        for expected in [".brand", ".who a", "#device-deny", "#device-confirm"] {
            press(tab).await;
            let focused = browser.active_element().await.unwrap().element_id();
            assert_eq!(focused, browser.wait_css(expected).await.element_id(), "{expected}");
        }
        press(enter).await;
        browser.wait_for_text("Your device is connected").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_can_be_shown_and_its_strength_is_told_while_it_is_typed() {
    let place = Place::new(sqlite()).await;
    browser(Options::default(), async |browser| {
        browser.goto(&format!("{}/signup", place.config.issuer)).await.unwrap();
        browser.fill("password", "password").await;
        browser.wait_for_text("Very weak").await;
        browser.fill("password", PASSWORD).await;
        browser.wait_for_text("Very strong").await;
        let field = browser.wait_css("#password").await;
        assert_eq!(field.attr("type").await.unwrap().as_deref(), Some("password"));
        browser.click(".password button").await;
        assert_eq!(field.attr("type").await.unwrap().as_deref(), Some("text"));
    })
    .await;
}
