//! Sessions.

use chrono::TimeDelta;
use platform::on_each_database;

use crate::world::World;

on_each_database! {
    async fn the_database_has_no_token_and_no_session_id(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let sealed = world.sealed_sessions().await;
        assert_eq!(sealed.len(), 1);
        let contains = |text: &str| sealed[0].windows(text.len()).any(|part| part == text.as_bytes());
        for token in &world.op.state.known().access_tokens {
            assert!(!contains(token));
        }
        for clear in ["at.", "lkr_", "eyJ", "alice", "Alice", &browser.cookie("session").unwrap()] {
            assert!(!contains(clear), "{clear}");
        }
    }

    async fn the_browser_never_sees_a_token(db) {
        let world = World::new(db).await;
        let browser = world.browser();
        let mut seen = vec![browser.log_in("/login").await, browser.get("/").await, browser.get("/tasks").await];
        world.clock.advance(TimeDelta::hours(1));
        seen.push(browser.get("/tasks").await);
        for seen in seen {
            let everything = format!("{:?}{}", seen.headers, seen.body);
            for token in ["at.", "lkr_", "eyJ"] {
                assert!(!everything.contains(token), "{token} in {everything}");
            }
        }
    }

    async fn logging_in_gives_a_new_session_id(db) {
        let world = World::new(db).await;
        let browser = world.browser();
        let planted = "A".repeat(43);
        browser.set_cookie("session", &planted);
        browser.log_in("/login").await.leads_to("/tasks");
        let first = browser.cookie("session").unwrap();
        assert_ne!(first, planted);

        // A log-in that began before another one ended replaces its session.
        browser.set_cookie("session", "");
        let callback = browser.until_callback("/login").await;
        browser.set_cookie("session", &first);
        browser.get(&callback).await.leads_to("/tasks");
        assert_ne!(browser.cookie("session").unwrap(), first);
        assert_eq!(world.sealed_sessions().await.len(), 1);
        browser.set_cookie("session", &first);
        browser.get("/tasks").await.leads_to("/login?return_to=%2Ftasks");
    }

    async fn a_session_that_is_not_used_ends(db) {
        let world = World::new(db).await;
        let (used, unused) = (world.member().await, world.member().await);
        for _ in 0..4 {
            world.clock.advance(TimeDelta::days(2));
            used.get("/").await.is(200).shows("Welcome back");
        }
        unused.get("/").await.is(200).lacks("Welcome back");
        unused.get("/tasks").await.leads_to("/login?return_to=%2Ftasks");
    }

    async fn every_session_ends(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        for _ in 0..29 {
            world.clock.advance(TimeDelta::days(1));
            browser.get("/").await.shows("Welcome back");
        }
        world.clock.advance(TimeDelta::days(1));
        browser.get("/").await.lacks("Welcome back");
    }

    async fn a_cookie_that_was_sent_twice_is_nobodys(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let value = format!("x; latchkey_web_session={}", browser.cookie("session").unwrap());
        browser.set_cookie("session", &value);
        browser.get("/tasks").await.leads_to("/login?return_to=%2Ftasks");
    }

    async fn cookies_are_out_of_reach_for_scripts_and_other_sites(db) {
        let world = World::new(db).await;
        let browser = world.browser();
        let callback = browser.log_in("/login").await;
        let cookie = callback.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with("latchkey_web_session="), "{cookie}");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }
}
