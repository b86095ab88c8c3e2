//! What the script adds, in a real browser.

use axum::http::Method;
use platform::testing::{Browser, Options, browser, sqlite};
use serde_json::Value;

use crate::{fake_provider::Fault, world::World};

async fn run(browser: &Browser, script: &str) -> Value {
    browser.execute(script, Vec::new()).await.unwrap()
}

/// Notes what is posted from now on and what the page's policy stops, for [`WATCHED`] to read on the next page.
const WATCH: &str = "
    sessionStorage.noted = '';
    const note = (what) => { sessionStorage.noted += what };
    const { fetch } = window;
    window.fetch = (url, options) => { note(options?.method ?? 'GET'); return fetch(url, options) };
    const { submit } = HTMLFormElement.prototype;
    HTMLFormElement.prototype.submit = function () { note(' form'); submit.call(this) };
    document.addEventListener('securitypolicyviolation', () => note(' violation'));";
const WATCHED: &str = "return sessionStorage.noted";

async fn press(browser: &Browser, key: &str) {
    let body = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: arguments[0], bubbles: true }))";
    browser.execute(body, vec![key.into()]).await.unwrap();
}

async fn focused(browser: &Browser) -> Value {
    run(browser, "return document.activeElement.id || document.activeElement.name").await
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_do_not_reload_the_page() {
    let world = World::new(sqlite()).await;
    let url = &world.config.public_url;
    browser(Options::default(), async |browser| {
        browser.goto(&format!("{url}/login")).await.unwrap();
        browser.wait_css("#task-create").await;
        run(browser, "window.same = true").await;

        browser.fill("title", "Buy bread").await;
        browser.click("#task-create").await;
        browser.wait_for_text("Task added.").await;
        assert_eq!(focused(browser).await, "task-title");
        browser.click("#task-create").await;
        browser.wait_css("#task-title-error").await;
        assert_eq!(focused(browser).await, "task-title");

        browser.click("[data-task-id] [name=complete]").await;
        browser.wait_css("[data-task-id] [name=complete][aria-pressed=true]").await;
        assert_eq!(focused(browser).await, "complete");

        browser.click("[data-task-id] [name=edit]").await;
        browser.wait_css("dialog[open] #edit-title").await.clear().await.unwrap();
        browser.click("#task-save").await;
        browser.wait_css("dialog[open] #edit-title-error").await;
        browser.wait_css("#edit-title").await.send_keys("Buy rolls").await.unwrap();
        browser.click("#task-save").await;
        browser.wait_for_text("Buy rolls").await;
        assert_eq!(focused(browser).await, "edit");

        browser.click("[data-task-id] [name=delete]").await;
        browser.wait_css("dialog[open] #delete-confirm").await;
        assert_eq!(focused(browser).await, "delete-cancel"); // the safe choice first
        browser.click("#delete-cancel").await;
        browser.click("[data-task-id] [name=delete]").await;
        browser.click("#delete-confirm").await;
        browser.wait_for_text("Nothing to do yet").await;

        assert_eq!(run(browser, "return window.same").await, true);
        assert!(world.api.state.titles().is_empty());

        // From a page of its own to the list, and what goes wrong on the way.
        let id = world.api.state.add("Old");
        browser.goto(&format!("{url}/tasks/{id}/edit")).await.unwrap();
        run(browser, "window.same = true; document.querySelector('[name=form_token]').value = 'x'").await;
        browser.click("#task-save").await;
        browser.wait_for_text("This form has expired").await;
        assert_eq!(run(browser, "return window.same").await, true);
        browser.goto(&format!("{url}/tasks/{id}/edit")).await.unwrap();
        run(browser, "window.same = true").await;
        browser.fill("title", "New").await;
        browser.click("#task-save").await;
        browser.wait_for_text("Task saved.").await;
        browser.wait_css("#logout-submit").await;
        assert_eq!(browser.address().await, format!("{url}/tasks"));
        assert_eq!(run(browser, "return window.same").await, true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_move_the_focus_except_while_typing() {
    let world = World::new(sqlite()).await;
    for title in ["First", "Second"] {
        world.api.state.add(title);
    }
    let url = &world.config.public_url;
    browser(Options::default(), async |browser| {
        browser.goto(&format!("{url}/login")).await.unwrap();
        browser.wait_css("#task-list").await;
        press(browser, "n").await;
        assert_eq!(focused(browser).await, "task-title");
        press(browser, "/").await;
        assert_eq!(focused(browser).await, "task-title");
        press(browser, "Escape").await;
        press(browser, "/").await;
        assert_eq!(focused(browser).await, "task-search");
        press(browser, "Escape").await;
        for (key, expected) in
            [("j", "Done: Second"), ("j", "Done: First"), ("j", "Done: First"), ("k", "Done: Second")]
        {
            press(browser, key).await;
            assert_eq!(run(browser, "return document.activeElement.ariaLabel").await, expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_meanwhile_leads_through_login() {
    let world = World::new(sqlite()).await;
    world.api.state.add("Stay");
    let url = &world.config.public_url;
    browser(Options::default(), async |browser| {
        browser.goto(&format!("{url}/login")).await.unwrap();
        browser.wait_css("#task-list").await;
        world.clock.advance(chrono::TimeDelta::days(8));
        run(browser, WATCH).await;
        browser.click("[name=complete]").await;
        browser.wait_for_text("Your session had ended").await;
        assert_eq!(run(browser, WATCHED).await, "POST");
        browser.click("[name=complete]").await;
        browser.wait_for_text("Task completed.").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demand_for_a_newer_log_in_leads_through_it_with_one_post() {
    const CHALLENGE: &str = r#"Bearer error="insufficient_user_authentication", max_age="300""#;
    let world = World::new(sqlite()).await;
    world.api.state.add("Stay");
    let url = &world.config.public_url;
    browser(Options::default(), async |browser| {
        browser.goto(&format!("{url}/login")).await.unwrap();
        browser.wait_css("#task-list").await;
        world.clock.advance(chrono::TimeDelta::minutes(10));
        {
            let mut known = world.api.state.known();
            known.demand = Some((Method::DELETE, CHALLENGE));
            known.stale = vec![known.seen.last().unwrap().0.clone()];
        }
        browser.click("[data-task-id] [name=delete]").await;
        browser.wait_css("dialog[open] #delete-confirm").await;
        run(browser, WATCH).await;
        browser.click("#delete-confirm").await;
        browser.wait_for_text("please do it once more").await;
        assert_eq!(run(browser, WATCHED).await, "POST");
        assert_eq!(world.op.state.known().asked["max_age"], "300");
        browser.click("#delete-confirm").await;
        browser.wait_for_text("Nothing to do yet").await;
        let toasts =
            "return [...document.querySelectorAll('.toast p')].map((toast) => toast.textContent).join()";
        assert_eq!(run(browser, toasts).await, "Task deleted.");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_scrolls_sideways_on_a_phone() {
    let world = World::new(sqlite()).await;
    let url = &world.config.public_url;
    let id = world.api.state.add(&"x".repeat(255));
    browser(Options { window: (360, 740), ..Options::default() }, async |browser| {
        let check = async |path: &str| {
            browser.goto(&format!("{url}{path}")).await.unwrap();
            browser.wait_css("h1").await;
            let width = run(browser, "return document.documentElement.scrollWidth").await;
            assert_eq!(width, 360, "{path}");
        };
        check("/").await;
        world.fault(Fault::Error("invalid_scope"));
        check("/login").await;
        world.fault(Fault::None);
        for path in ["/login", "/", "/nothing", "/tasks?q=zzz", "/tasks"] {
            check(path).await;
        }
        check(&format!("/tasks/{id}/edit")).await;
        check(&format!("/tasks/{id}/delete")).await;
        world.api.state.known().status = Some(500);
        check("/tasks").await;
    })
    .await;
}
