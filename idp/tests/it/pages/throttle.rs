use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use platform::on_each_database;

use super::visitor::{Answer, EMAIL, PASSWORD, Place, Visitor};

const WRONG: &str = "not the password";

/// Tries `times` wrong passwords; returns the last answer.
async fn guess(visitor: &mut Visitor, email: &str, times: usize) -> Answer {
    let mut answer = visitor.log_in(email, WRONG).await;
    for _ in 1..times {
        answer = visitor.log_in(email, WRONG).await;
    }
    answer
}

fn wait(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{}", answer.body);
    answer.header(header::RETRY_AFTER)
}

on_each_database! {
    async fn after_the_free_attempts_each_waits_twice_as_long_and_refused_ones_do_not_count(db) {
        let place = Place::new(db).await;
        place.alice().await;
        let mut guesser = place.visitor_from("198.51.100.1");
        let fifth = guess(&mut guesser, EMAIL, 5).await;
        assert_eq!(fifth.status, StatusCode::UNPROCESSABLE_ENTITY);
        for seconds in [1, 2, 4, 8] {
            for _ in 0..3 {
                let refused = guesser.log_in(EMAIL, PASSWORD).await;
                assert_eq!(wait(&refused), seconds.to_string(), "even the right password waits");
                assert!(refused.body.contains("Too many attempts. Wait"));
                assert!(guesser.session().is_none());
            }
            place.clock.advance(TimeDelta::seconds(seconds));
            assert_eq!(guesser.log_in(EMAIL, WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        place.clock.advance(TimeDelta::seconds(16));
        assert_eq!(guesser.log_in(EMAIL, PASSWORD).await.location(), "/account");
        guesser.cookies.remove("latchkey_idp_device");
        let again = guess(&mut guesser, EMAIL, 5).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "a success starts the count again");
    }

    async fn the_wait_has_a_limit_and_ends(db) {
        let place = Place::with(db, |config| config.throttle.longest_wait = 4).await;
        let mut guesser = place.visitor_from("198.51.100.1");
        for _ in 0..9 {
            guess(&mut guesser, EMAIL, 1).await;
            place.clock.advance(TimeDelta::seconds(4));
        }
        assert_eq!(guess(&mut guesser, EMAIL, 1).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(wait(&guesser.log_in(EMAIL, WRONG).await), "4", "who sat the longest wait out starts afresh");
        place.clock.advance(TimeDelta::seconds(8));
        assert_eq!(guess(&mut guesser, EMAIL, 5).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    /// DESIGN: argon2 has a queue of its own; who finds it full is told when to come again.
    async fn a_full_queue_is_said_and_when_to_come_again(db) {
        let place = Place::with(db, |config| {
            config.passwords.threads = 1;
            config.passwords.queue = 1;
            config.passwords.memory = 65_536;
            config.throttle.per_network = 1_000;
        }).await;
        let mut visitor = place.visitor();
        visitor.get("/login").await;
        let attempts = (0..12).map(|number| {
            let mut racer = visitor.clone();
            async move { racer.log_in(&format!("nobody{number}@example.com"), WRONG).await }
        });
        let answers = futures_util::future::join_all(attempts).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::SERVICE_UNAVAILABLE).collect();
        assert!(!refused.is_empty() && refused.len() < 12, "{} of 12 were refused", refused.len());
        assert!(refused.iter().all(|answer| answer.headers["retry-after"] == "5" && answer.body.contains("<h1>")));
    }

    async fn parallel_guesses_do_not_pass_on_one_count(db) {
        let place = Place::new(db).await;
        let mut guesser = place.visitor_from("198.51.100.1");
        guesser.get("/login").await;
        let racers = (0..50).map(|_| {
            let mut racer = guesser.clone();
            tokio::spawn(async move { racer.log_in(EMAIL, WRONG).await.status })
        });
        let mut passed = 0;
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                StatusCode::UNPROCESSABLE_ENTITY => passed += 1,
                status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
            }
        }
        assert_eq!(passed, 5);
    }

    async fn known_and_unknown_accounts_wait_alike(db) {
        let place = Place::new(db).await;
        place.alice().await;
        let mut guesser = place.visitor_from("198.51.100.1");
        let known = guess(&mut guesser, EMAIL, 6).await;
        let unknown = guess(&mut guesser, "nobody@example.com", 6).await;
        assert_eq!(wait(&known), "1");
        assert_eq!(known.traits(EMAIL), unknown.traits("nobody@example.com"));
    }

    async fn another_spelling_of_an_address_is_no_new_account(db) {
        let place = Place::new(db).await;
        let mut guesser = place.visitor_from("198.51.100.1");
        guess(&mut guesser, EMAIL, 5).await;
        for spelling in ["ALICE@example.com", " alice@EXAMPLE.COM "] {
            wait(&guesser.log_in(spelling, WRONG).await);
        }
    }

    /// Slowing down is no weapon against the owner.
    async fn a_browser_that_the_account_was_used_in_passes_where_strangers_wait(db) {
        let place = Place::with(db, |config| config.throttle.per_account = 6).await;
        let mut alice = place.alice().await;
        for network in ["198.51.100.1", "198.51.100.2", "198.51.100.3"] {
            guess(&mut place.visitor_from(network), EMAIL, 2).await;
        }
        let mut stranger = place.visitor_from("198.51.100.4");
        wait(&stranger.log_in(EMAIL, PASSWORD).await);
        assert_eq!(alice.log_in(EMAIL, PASSWORD).await.location(), "/account");
        assert_eq!(guess(&mut alice, EMAIL, 6).await.status, StatusCode::TOO_MANY_REQUESTS, "nor is it unlimited");

        // The cookie is good for one account, and cannot be made up.
        let device = alice.cookies.get("latchkey_idp_device").unwrap();
        stranger.cookies.set("latchkey_idp_device", &format!("x{device}"));
        wait(&stranger.log_in(EMAIL, PASSWORD).await);
        guess(&mut alice, "bob@example.com", 5).await;
        wait(&alice.log_in("bob@example.com", WRONG).await);
    }

    /// Who knows one password must not get more guesses at others by it.
    async fn one_network_is_slowed_for_all_accounts_and_a_success_does_not_reset_it(db) {
        let place = Place::with(db, |config| config.throttle.per_network = 4).await;
        place.alice().await;
        let mut guesser = place.visitor_from("2001:db8:1:2::1");
        for email in ["a@example.com", "b@example.com", "c@example.com"] {
            guess(&mut guesser, email, 1).await;
        }
        assert_eq!(guesser.log_in(EMAIL, PASSWORD).await.location(), "/account");
        guess(&mut guesser, "d@example.com", 1).await;
        wait(&guesser.log_in("e@example.com", WRONG).await);
        let mut neighbour = place.visitor_from("2001:db8:1:2:ffff::9");
        wait(&neighbour.log_in("f@example.com", WRONG).await);
        let mut elsewhere = place.visitor_from("2001:db8:1:3::1");
        assert_eq!(elsewhere.log_in("g@example.com", WRONG).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn a_forwarded_address_counts_only_from_a_trusted_proxy(db) {
        let place = Place::with(db, |config| config.trusted_proxies.clear()).await;
        guess(&mut place.visitor_from("198.51.100.1"), EMAIL, 5).await;
        wait(&place.visitor_from("198.51.100.2").log_in(EMAIL, WRONG).await);
    }
}
