//! Links and codes of mails in a real browser, which obeys the pages' policies.

use platform::testing::{Browser, Options, browser, sqlite};

use crate::pages::visitor::{EMAIL, PASSWORD, Place};

/// Opens the newest mail once it is there, by its link.
async fn newest(browser: &Browser, place: &Place, subject: &str) {
    let mailbox = format!("{}/dev/mail", place.config.issuer);
    browser
        .until(subject, async || {
            browser.goto(&mailbox).await.unwrap();
            browser.text().await.contains(subject)
        })
        .await;
    browser.click("article:first-of-type a").await;
}

async fn confirm_and_choose_a_new_password(javascript: bool) {
    let place = Place::new(sqlite()).await;
    browser(Options { javascript, window: (360, 740), ..Options::default() }, async |browser| {
        let at = |path: &str| format!("{}{path}", place.config.issuer);
        browser.goto(&at("/signup")).await.unwrap();
        browser.fill("name", "Alice").await;
        browser.fill("email", EMAIL).await;
        browser.fill("password", PASSWORD).await;
        browser.click("#signup-submit").await;
        browser.wait_for_address(&at("/account")).await;
        newest(browser, &place, "Confirm your e-mail address").await;
        browser.click("#link-confirm").await;
        browser.wait_for_text("Your address is confirmed").await;

        browser.goto(&at("/account/email")).await.unwrap();
        browser.fill("email", "new@example.com").await;
        browser.click("#email-submit").await;
        browser.wait_for_text("We have sent a mail").await;
        newest(browser, &place, "Confirm your new e-mail address").await;
        browser.click("#link-confirm").await;
        browser.wait_for_text("Your e-mail address was changed.").await;
        newest(browser, &place, "was changed").await;
        browser.click("#link-confirm").await;
        browser.wait_for_text("Your address is yours again").await;

        newest(browser, &place, "Choose a new password").await;
        browser.wait_for_address(&at("/reset")).await;
        assert_eq!(browser.address().await, at("/reset"), "nothing secret stays in the address");
        browser.fill("password", "a quite different set of words").await;
        browser.click("#reset-submit").await;
        browser.wait_for_text("Your password is changed").await;
        browser.goto(&at("/login")).await.unwrap();
        browser.fill("email", EMAIL).await;
        browser.fill("password", "a quite different set of words").await;
        browser.click("#login-submit").await;
        browser.wait_for_address(&at("/account")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_mails_work_with_scripts() {
    confirm_and_choose_a_new_password(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_mails_work_without_scripts() {
    confirm_and_choose_a_new_password(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailed_code_is_typed_in() {
    let place = Place::with(sqlite(), |config| config.mailed_code_login = true).await;
    drop(place.alice().await);
    browser(Options { window: (360, 740), ..Options::default() }, async |browser| {
        let at = |path: &str| format!("{}{path}", place.config.issuer);
        browser.goto(&at("/login")).await.unwrap();
        browser.click("a[href='/login/code']").await;
        browser.fill("email", EMAIL).await;
        browser.click("#mailed-code-submit").await;
        browser.wait_css("#code").await;
        newest_code(browser, &place).await;
        browser.wait_for_address(&at("/account")).await;
    })
    .await;
}

async fn newest_code(browser: &Browser, place: &Place) {
    let mailbox = format!("{}/dev/mail", place.config.issuer);
    browser
        .until("a code", async || {
            browser.goto(&mailbox).await.unwrap();
            browser.text().await.contains("Your code for")
        })
        .await;
    let code = browser.wait_css("p.user-code").await.text().await.unwrap();
    browser.goto(&format!("{}/login/code/enter", place.config.issuer)).await.unwrap();
    browser.fill("code", &code).await;
    browser.click("#login-submit").await;
}
