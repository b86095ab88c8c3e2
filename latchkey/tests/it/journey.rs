//! The main job, as a person does it: in a real browser, against the real binary.

use platform::{
    on_each_database,
    testing::{Browser, Options, browser},
};

use crate::support::Place;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery staple";

on_each_database! {
    async fn from_sign_up_to_log_out_and_back(db) {
        let place = Place::on(db).await;
        let node = place.start().await;
        browser(Options::default(), async |browser| {
            sign_up(browser, &place).await;
            work_with_tasks(browser).await;
            log_out_and_come_back(browser, &place).await;
        })
        .await;
        node.stop().await;
    }

    async fn all_of_it_works_without_javascript_and_on_a_phone(db) {
        let place = Place::on(db).await;
        let node = place.start().await;
        browser(Options { javascript: false, window: (360, 740), dark: true }, async |browser| {
            sign_up(browser, &place).await;
            work_with_tasks(browser).await;
            log_out_and_come_back(browser, &place).await;
        })
        .await;
        node.stop().await;
    }
}

/// As docs/operations.md has it: each service in a process of its own, and a secret in a file.
#[tokio::test(flavor = "multi_thread")]
async fn three_processes_are_one_latchkey_too() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("web.secret"), "a secret of more than thirty-two characters\n")
        .unwrap();
    let toml = format!(
        "[[idp.clients]]
         client_id = 'latchkey-web'
         client_secret_file = 'web.secret'
         redirect_uris = ['{0}/callback']
         post_logout_redirect_uris = ['{0}/']
         scope = 'openid profile email tasks:read tasks:write'
         first_party = true
         [web]
         client_secret_file = 'web.secret'",
        place.web
    );
    std::fs::write(place.dir.path().join("latchkey.toml"), toml).unwrap();
    let nodes = [("web", &place.web), ("api", &place.api), ("idp", &place.idp)]
        .map(|(name, url)| (place.spawn(&[name]), url));
    for (node, url) in &nodes {
        node.wait_until_ready(url).await;
    }
    browser(Options::default(), async |browser| {
        sign_up(browser, &place).await;
        work_with_tasks(browser).await;
        log_out_and_come_back(browser, &place).await;
    })
    .await;
}

async fn sign_up(browser: &Browser, place: &Place) {
    browser.goto(&place.web).await.unwrap();
    browser.click("#signup-link").await;
    browser.wait_for_address(&place.idp).await;
    browser.fill("name", "Ada Lovelace").await;
    browser.fill("email", EMAIL).await;
    browser.fill("password", PASSWORD).await;
    browser.click("#signup-submit").await;
    browser.wait_for_address(&format!("{}/tasks", place.web)).await;
    browser.wait_for_text("Nothing to do yet").await;
    assert!(browser.text().await.contains("Ada Lovelace"));
}

async fn work_with_tasks(browser: &Browser) {
    browser.fill("title", "Buy milk").await;
    browser.fill("description", "Two litres").await;
    browser.click("#task-create").await;
    browser.wait_for_text("Two litres").await;
    browser.fill("title", "Water the plants").await;
    browser.click("#task-create").await;
    browser.wait_css(".tasks li:nth-child(2)").await;

    browser.click("[aria-label='Edit: Buy milk']").await;
    browser.wait_css("#edit-title").await;
    let title = browser.wait_css("#edit-title").await;
    title.clear().await.unwrap();
    title.send_keys("Buy oat milk").await.unwrap();
    browser.click("#task-save").await;
    browser.wait_css("[aria-label='Edit: Buy oat milk']").await;

    browser.click("[aria-label='Done: Buy oat milk']").await;
    browser.wait_css("[aria-label='Done: Buy oat milk'][aria-pressed='true']").await;

    browser.click("[aria-label='Delete: Water the plants']").await;
    browser.click("#delete-confirm").await;
    browser
        .until("one task", async || {
            let tasks = browser.find_all(fantoccini::Locator::Css(".tasks li")).await;
            tasks.is_ok_and(|tasks| tasks.len() == 1)
        })
        .await;
    assert!(browser.text().await.contains("Buy oat milk"));
}

async fn log_out_and_come_back(browser: &Browser, place: &Place) {
    browser.click("#logout-submit").await;
    browser.wait_for_address(&format!("{}/", place.web)).await;
    browser.wait_css("#login-link").await;

    let wanted = format!("{}/tasks?filter=done", place.web);
    browser.goto(&wanted).await.unwrap();
    browser.wait_for_address(&place.idp).await;
    browser.fill("email", EMAIL).await;
    browser.fill("password", "not the password").await;
    browser.click("#login-submit").await;
    browser.wait_css("[name='password'][aria-invalid='true'], [role='alert']").await;
    let typed = browser.wait_css("[name='email']").await.prop("value").await.unwrap();
    assert_eq!(typed.as_deref(), Some(EMAIL), "what was typed is kept");
    browser.fill("password", PASSWORD).await;
    browser.click("#login-submit").await;
    browser.wait_for_address(&wanted).await;
    browser.wait_for_text("Buy oat milk").await;
}
