//! New access tokens (RFC 6749 §6).

use chrono::TimeDelta;
use futures_util::future::join_all;
use platform::on_each_database;

use crate::{browser::Browser, fake_provider::Fault, world::World};

/// Access tokens of the fake provider are good for 15 minutes; this leaves 30 seconds.
fn nearly_expired() -> TimeDelta {
    TimeDelta::seconds(14 * 60 + 30)
}

on_each_database! {
    async fn a_token_is_refreshed_before_it_expires(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        browser.get("/tasks").await.is(200);
        assert_eq!(world.op.state.known().refreshes, 0);
        world.clock.advance(nearly_expired());
        browser.get("/tasks").await.is(200);
        browser.get("/tasks").await.is(200);
        assert_eq!(world.op.state.known().refreshes, 1);
        let known = world.api.state.known();
        let tokens: Vec<&String> = known.seen.iter().map(|(token, _)| token).collect();
        assert_eq!(tokens.len(), 3);
        assert_ne!(tokens[0], tokens[1]);
        assert_eq!(tokens[1], tokens[2]);
    }

    async fn many_tabs_refresh_once(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        for round in 1..=3 {
            world.clock.advance(nearly_expired());
            let seen = join_all((0..20).map(|_| browser.get("/tasks"))).await;
            assert!(seen.iter().all(|seen| seen.status == 200));
            assert_eq!(world.op.state.known().refreshes, round);
        }
    }

    async fn a_session_that_the_provider_ended_leads_to_login_and_back(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        world.clock.advance(TimeDelta::hours(1));
        world.fault(Fault::InvalidGrant);
        let seen = browser.get("/tasks?filter=done").await;
        seen.leads_to("/login?return_to=%2Ftasks%3Ffilter%3Ddone");
        assert!(browser.cookie("session").is_none());
        assert!(world.sealed_sessions().await.is_empty());
        world.fault(Fault::None);
        browser.log_in(&seen.location).await.leads_to("/tasks?filter=done");
    }

    /// OpenID Connect Core §12.2.
    async fn a_refresh_that_brings_a_bad_id_token_ends_the_session(db) {
        let world = World::new(db).await;
        for fault in [Fault::Issuer, Fault::Audience, Fault::Expired, Fault::AtHash, Fault::OtherKey, Fault::AlgNone] {
            world.fault(Fault::None);
            let browser = world.member().await;
            world.clock.advance(TimeDelta::hours(1));
            world.fault(fault);
            browser.get("/tasks").await.leads_to("/login?return_to=%2Ftasks");
            assert!(world.sealed_sessions().await.is_empty(), "{fault:?}");
        }
    }

    async fn a_form_of_an_ended_session_changes_nothing_and_says_so_after_login(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let token = browser.form_token().await;
        world.clock.advance(TimeDelta::hours(1));
        world.fault(Fault::InvalidGrant);
        let key = uuid::Uuid::new_v4().to_string();
        let fields = [("title", "x"), ("key", &key), ("form_token", &token)];
        let seen = browser.post_with("/tasks", &fields, &[]).await;
        seen.leads_to("/login?return_to=%2Ftasks");
        world.fault(Fault::None);
        browser.log_in(&seen.location).await.leads_to("/tasks");
        browser.get("/tasks").await.shows("Your session had ended, so nothing was changed.");
        assert!(world.api.state.titles().is_empty());
    }

    async fn a_refresh_that_fails_once_is_asked_again(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        world.clock.advance(TimeDelta::hours(1));
        world.fault(Fault::Fails(1));
        browser.get("/tasks").await.is(200);
    }

    async fn a_provider_that_is_down_ends_no_session(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        world.clock.advance(nearly_expired());
        world.fault(Fault::Fails(usize::MAX));
        browser.get("/tasks").await.is(200); // the token is good for 30 seconds more
        world.clock.advance(TimeDelta::hours(1));
        browser.get("/tasks").await.is(503).shows("Logging in is not possible right now");
        world.fault(Fault::InvalidClient); // our own configuration is wrong: not the person's session
        browser.get("/tasks").await.is(503);
        world.fault(Fault::None);
        browser.get("/tasks").await.is(200);
    }

    async fn a_401_leads_to_one_new_token_and_one_more_try(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let refused = world.op.state.known().access_tokens.clone();
        world.api.state.known().refuses = refused;
        let seen = join_all((0..10).map(|_| browser.get("/tasks"))).await;
        assert!(seen.iter().all(|seen| seen.status == 200));
        assert_eq!(world.op.state.known().refreshes, 1);
    }

    async fn a_401_for_a_new_token_leads_to_login(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        world.clock.advance(TimeDelta::minutes(5));
        world.api.state.known().status = Some(401);
        browser.get("/tasks?q=x").await.leads_to("/login?return_to=%2Ftasks%3Fq%3Dx");
        assert!(world.sealed_sessions().await.is_empty());
    }

    async fn a_401_right_after_login_is_no_endless_circle(db) {
        let world = World::new(db).await;
        world.api.state.known().status = Some(401);
        let browser = world.member().await;
        browser.get("/tasks").await.is(503).shows("Your tasks cannot be shown right now");
    }

    async fn nodes_that_refresh_at_the_same_time_agree(db) {
        let world = World::new(db).await;
        let second = world.second_node().await;
        let browser = world.member().await;
        let elsewhere = Browser::new(&second.url);
        for cookie in ["session", "browser"] {
            elsewhere.set_cookie(cookie, &browser.cookie(cookie).unwrap());
        }
        world.clock.advance(nearly_expired());
        browser.get("/tasks").await.is(200);
        elsewhere.get("/tasks").await.is(200); // finds the other node's token
        assert_eq!(world.op.state.known().refreshes, 1);
    }
}
