//! Passkeys in a real browser, with an authenticator of its own (WebAuthn domain of the DevTools protocol).

use platform::testing::{Browser, Options, browser, sqlite};
use serde_json::json;

use super::visitor::{EMAIL, PASSWORD, Place};

/// One that is built in, and does at once what it is asked. Returns its id.
async fn add_authenticator(browser: &Browser) -> String {
    browser.cdp("WebAuthn.enable", json!({ "enableUI": false })).await;
    let options = json!({
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
        "isUserVerified": true, "automaticPresenceSimulation": true,
    });
    let added = browser.cdp("WebAuthn.addVirtualAuthenticator", json!({ "options": options })).await;
    added["authenticatorId"].as_str().unwrap().to_owned()
}

/// Whether the person who is asked says yes.
async fn set_verified(browser: &Browser, authenticator: &str, verified: bool) {
    let parameters = json!({ "authenticatorId": authenticator, "isUserVerified": verified });
    browser.cdp("WebAuthn.setUserVerified", parameters).await;
}

async fn sign_up(browser: &Browser, place: &Place) {
    browser.goto(&format!("{}/signup", place.config.issuer)).await.unwrap();
    browser.fill("name", "Alice").await;
    browser.fill("email", EMAIL).await;
    browser.fill("password", PASSWORD).await;
    browser.click("#signup-submit").await;
    browser.wait_for_address(&format!("{}/account", place.config.issuer)).await;
}

async fn add_passkey(browser: &Browser, place: &Place) {
    browser.goto(&format!("{}/account/passkeys", place.config.issuer)).await.unwrap();
    browser.click("#passkey-add").await;
    browser.fill("name", "Laptop").await;
    browser.click("#passkey-create").await;
    browser.wait_for_text("not used yet").await;
    assert!(browser.text().await.contains("Laptop"));
}

async fn log_out(browser: &Browser) {
    browser.click("#logout-confirm").await;
    browser.wait_for_text("You are logged out").await;
}

/// The account's page, which nobody sees who is not logged in.
async fn arrive(browser: &Browser, place: &Place) {
    let account = format!("{}/account", place.config.issuer);
    browser.until("the account", async || browser.address().await == account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_added_and_logs_in_by_the_button() {
    let place = Place::new(sqlite()).await;
    browser(Options { window: (360, 740), ..Options::default() }, async |browser| {
        add_authenticator(browser).await;
        sign_up(browser, &place).await;
        add_passkey(browser, &place).await;

        browser.goto(&format!("{}/account/passkeys/add", place.config.issuer)).await.unwrap();
        browser.click("#passkey-create").await;
        browser.wait_for_text("This device has a passkey for your account already.").await;
        log_out(browser).await;

        // A browser that offers none where the address is typed: the authenticator would say yes before the button is pressed.
        let older =
            json!({ "source": "PublicKeyCredential.isConditionalMediationAvailable = async () => false" });
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", older).await;
        browser.goto(&format!("{}/login", place.config.issuer)).await.unwrap();
        browser.click("#login-passkey").await;
        arrive(browser, &place).await;
        log_out(browser).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_offered_where_the_address_is_typed() {
    let place = Place::new(sqlite()).await;
    browser(Options::default(), async |browser| {
        add_authenticator(browser).await;
        sign_up(browser, &place).await;
        add_passkey(browser, &place).await;
        log_out(browser).await;
        // Nothing is pressed: the authenticator says yes to what the page offers.
        browser.goto(&format!("{}/login", place.config.issuer)).await.unwrap();
        arrive(browser, &place).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_passkey_is_told_and_logs_in_by_password() {
    let place = Place::new(sqlite()).await;
    browser(Options::default(), async |browser| {
        let authenticator = add_authenticator(browser).await;
        sign_up(browser, &place).await;
        set_verified(browser, &authenticator, false).await;
        browser.goto(&format!("{}/account/passkeys/add", place.config.issuer)).await.unwrap();
        browser.click("#passkey-create").await;
        browser.wait_for_text("No passkey was added: it was cancelled, or took too long.").await;
        log_out(browser).await;

        browser.goto(&format!("{}/login", place.config.issuer)).await.unwrap();
        browser.click("#login-passkey").await;
        browser.wait_for_text("No passkey was used: it was cancelled").await;
        browser.fill("email", EMAIL).await;
        browser.fill("password", PASSWORD).await;
        browser.click("#login-submit").await;
        arrive(browser, &place).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_the_pages_say_what_passkeys_need() {
    let place = Place::new(sqlite()).await;
    browser(Options { javascript: false, ..Options::default() }, async |browser| {
        sign_up(browser, &place).await;
        browser.goto(&format!("{}/account/passkeys/add", place.config.issuer)).await.unwrap();
        browser.wait_for_text("you need JavaScript").await;
        assert!(!browser.wait_css("#passkey-create").await.is_displayed().await.unwrap());
        log_out(browser).await;
        browser.goto(&format!("{}/login", place.config.issuer)).await.unwrap();
        assert!(!browser.wait_css("#login-passkey").await.is_displayed().await.unwrap());
    })
    .await;
}
