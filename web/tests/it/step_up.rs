//! What the API demands of a log-in (RFC 9470) is asked of the provider, and one comes back to where one was.

use axum::http::Method;
use chrono::TimeDelta;
use platform::on_each_database;

use crate::{browser::Browser, world::World};

const CHALLENGE: &str = r#"Bearer realm="tasks", error="insufficient_user_authentication", acr_values="urn:a urn:b", max_age="300""#;

/// Somebody who logged in a while ago, whose token is not enough for requests of `method` any more.
async fn stale_member(world: &World, method: Method, challenge: &'static str) -> Browser {
    let browser = world.member().await;
    browser.get("/tasks").await.is(200);
    world.clock.advance(TimeDelta::minutes(10));
    demand(world, method, challenge);
    browser
}

/// The token that was seen last is not enough.
fn demand(world: &World, method: Method, challenge: &'static str) {
    let mut known = world.api.state.known();
    known.demand = Some((method, challenge));
    known.stale = vec![known.seen.last().unwrap().0.clone()];
}

on_each_database! {
    async fn a_page_that_needs_a_newer_log_in_gets_one_and_is_shown(db) {
        let world = World::new(db).await;
        let browser = stale_member(&world, Method::GET, CHALLENGE).await;
        let refreshes = world.op.state.known().refreshes;
        let sent = browser.get("/tasks?filter=open").await;
        sent.leads_to("/login?return_to=%2Ftasks%3Ffilter%3Dopen&max_age=300&acr_values=urn%3Aa+urn%3Ab");
        assert!(browser.cookie("session").is_some(), "the session goes on if the person turns back");
        assert_eq!(world.op.state.known().refreshes, refreshes, "a refresh would not help");
        browser.log_in(&sent.location).await.leads_to("/tasks?filter=open");
        let asked = world.op.state.known().asked.clone();
        assert_eq!((asked["max_age"].as_str(), asked["acr_values"].as_str()), ("300", "urn:a urn:b"));
        browser.get("/tasks?filter=open").await.is(200).lacks("once more");
    }

    async fn a_form_that_needs_a_newer_log_in_is_there_again_after_it(db) {
        let world = World::new(db).await;
        let browser = stale_member(&world, Method::DELETE, CHALLENGE).await;
        let id = world.api.state.add("Bread");
        let delete = format!("/tasks/{id}/delete");
        let sent = browser.post(&delete, &[]).await;
        assert!(sent.location.starts_with(&format!("/login?return_to=%2Ftasks%2F{id}%2Fdelete&max_age=300")), "{}", sent.location);
        browser.log_in(&sent.location).await.leads_to(&delete);
        browser.get(&delete).await.is(200).shows("Nothing was changed yet: please do it once more.").shows("Bread");
        browser.post(&delete, &[]).await.leads_to("/tasks");
        assert!(world.api.state.titles().is_empty());
    }

    /// A script cannot follow a redirect to another site: it is told where to go.
    async fn the_script_is_told_where_to_log_in(db) {
        let world = World::new(db).await;
        let browser = stale_member(&world, Method::DELETE, CHALLENGE).await;
        let id = world.api.state.add("Bread");
        let token = browser.form_token().await;
        let sent = browser.post_with(&format!("/tasks/{id}/delete"), &[("form_token", &token)], &[("latchkey-in-place", "1")]).await;
        let login = format!("/login?return_to=%2Ftasks%2F{id}%2Fdelete&max_age=300&acr_values=urn%3Aa+urn%3Ab");
        assert_eq!((sent.status, &sent.location), (204, &login));
        assert_eq!(sent.headers["cache-control"], "no-store");
        browser.log_in(&login).await.leads_to(&format!("/tasks/{id}/delete"));
        browser.get("/tasks").await.shows("please do it once more");
    }

    async fn a_demand_that_says_nothing_more_is_met_by_a_log_in_of_now(db) {
        let world = World::new(db).await;
        let bare = r#"Bearer error="insufficient_user_authentication""#;
        let browser = stale_member(&world, Method::GET, bare).await;
        browser.get("/tasks").await.leads_to("/login?return_to=%2Ftasks&max_age=0");
    }

    /// The session here is new, the log-in at the provider is not: it may have been silent.
    async fn a_silent_log_in_is_followed_by_a_real_one_where_that_is_needed(db) {
        let world = World::new(db).await;
        world.op.state.known().auth_time = Some(world.clock.now().timestamp() - 600);
        let browser = world.member().await;
        browser.get("/tasks").await.is(200);
        demand(&world, Method::GET, CHALLENGE);
        let sent = browser.get("/tasks").await;
        sent.leads_to("/login?return_to=%2Ftasks&max_age=300&acr_values=urn%3Aa+urn%3Ab");
        world.op.state.known().auth_time = None;
        browser.log_in(&sent.location).await.leads_to("/tasks");
        browser.get("/tasks").await.is(200);
    }

    /// A provider that cannot give what the API demands must not send people round and round (Core §3.1.3.7).
    async fn a_log_in_that_is_not_what_was_demanded_is_not_taken_for_it(db) {
        let world = World::new(db).await;
        let browser = stale_member(&world, Method::GET, CHALLENGE).await;
        let sent = browser.get("/tasks").await;
        let before = world.clock.now().timestamp();
        for (auth_time, acr) in [(Some(before - 310), "urn:a"), (None, "urn:c")] {
            world.op.state.known().auth_time = auth_time;
            world.op.state.known().acr = acr;
            browser.log_in(&sent.location).await.is(403).shows("This needs another kind of log-in");
        }
        world.op.state.known().auth_time = Some(before - 299);
        world.op.state.known().acr = "urn:b";
        browser.log_in(&sent.location).await.leads_to("/tasks");
    }

    /// Nor may an API that is content with nothing.
    async fn a_log_in_that_should_have_been_enough_is_not_repeated(db) {
        let world = World::new(db).await;
        let browser = stale_member(&world, Method::GET, CHALLENGE).await;
        let sent = browser.get("/tasks").await;
        browser.log_in(&sent.location).await.leads_to("/tasks");
        world.api.state.known().demand = None;
        browser.get("/tasks").await.is(200);
        demand(&world, Method::GET, CHALLENGE);
        browser.get("/tasks").await.is(403).shows("This is not yours to open");
    }
}
