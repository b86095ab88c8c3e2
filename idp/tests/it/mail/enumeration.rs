//! Nothing tells whether an account exists.

use std::time::{Duration, Instant};

use idp::config::EmailVerification;
use platform::on_each_database;

use super::place;
use crate::pages::visitor::{Answer, EMAIL, PASSWORD, Visitor};

const NOBODY: &str = "bobby@example.com";

/// The answer, without what is random: the names of what cookies hold.
fn traits(answer: &Answer, typed: &str) -> String {
    let traits = answer.traits(typed);
    let lines = traits.lines().map(|line| match line.split_once("set-cookie: ") {
        Some((_, cookie)) => cookie.split('=').next().unwrap().to_owned(),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What is asked with an address; the steps, and the answers to them.
async fn ask(visitor: &mut Visitor, what: &str, email: &str) -> Vec<Answer> {
    match what {
        "log-in" => vec![
            visitor.get("/login").await,
            visitor.post("/login", &[("email", email), ("password", "wrong")]).await,
        ],
        "forgot" => vec![
            visitor.get("/forgot").await,
            visitor.post("/forgot", &[("email", email)]).await,
            visitor.get("/forgot/sent").await,
        ],
        "code" => vec![
            visitor.get("/login/code").await,
            visitor.post("/login/code", &[("email", email)]).await,
            visitor.get("/login/code/enter").await,
            visitor.post("/login/code/enter", &[("code", "000000")]).await,
        ],
        _ => vec![
            visitor.get("/signup").await,
            visitor.post("/signup", &[("name", "Somebody"), ("email", email), ("password", PASSWORD)]).await,
            visitor.get("/signup/sent").await,
        ],
    }
}

on_each_database! {
    async fn known_and_unknown_addresses_are_answered_alike(db) {
        let (place, smtp) = place(db, |config| config.mailed_code_login = true).await;
        place.alice().await;
        smtp.next(EMAIL).await;
        let place = place.restart(|config| {
            config.email_verification = EmailVerification::Required;
            config.throttle.per_account_and_network = 1000;
            config.throttle.per_account = 1000;
            config.throttle.per_network = 1000;
        }).await;
        for what in ["log-in", "forgot", "code", "sign-up"] {
            let mut times: [Vec<Duration>; 2] = Default::default();
            for round in 0..15 {
                let mut answers = [Vec::new(), Vec::new()];
                for step in 0..2 {
                    // In turns: what the first leaves to be done in the background slows the second.
                    let index = (round + step) % 2;
                    let email = [EMAIL, NOBODY][index];
                    let mut visitor = place.visitor();
                    visitor.get("/login").await;
                    let start = Instant::now();
                    let answered = ask(&mut visitor, what, email).await;
                    times[index].push(start.elapsed());
                    let token = visitor.form_token.clone();
                    let said = answered.iter().map(|answer| traits(answer, email).replace(&token, "…"));
                    answers[index] = said.collect::<Vec<_>>();
                }
                assert_eq!(answers[0], answers[1], "{what}, round {round}");
            }
            // The shortest: what else this machine does only ever adds to one.
            let [known, unknown] = times.map(|times| times.into_iter().min().unwrap());
            let apart = known.abs_diff(unknown);
            assert!(apart < Duration::from_millis(5) + known.min(unknown) / 2, "{what}: {known:?} and {unknown:?}");
        }
        place.settle().await;
        let mails = smtp.take();
        let unknown: Vec<_> = mails.iter().filter(|mail| mail.to == NOBODY).map(|mail| mail.subject()).collect();
        assert!(unknown.iter().all(|subject| subject.starts_with("Confirm")) && unknown.len() == 15, "{unknown:?}");
        assert!(mails.iter().any(|mail| mail.to == EMAIL && mail.subject() == "You have an account at Test Place"));
    }

    async fn who_asks_too_often_waits_whoever_has_the_address(db) {
        let (place, _) = place(db, |config| {
            config.mailed_code_login = true;
            config.throttle.per_account_and_network = 1;
        }).await;
        place.alice().await;
        for what in ["forgot", "code"] {
            let mut answers = Vec::new();
            for email in [EMAIL, NOBODY] {
                let mut visitor = place.visitor_from("198.51.100.7");
                ask(&mut visitor, what, email).await;
                let token = visitor.form_token.clone();
                let path = if what == "forgot" { "/forgot" } else { "/login/code" };
                let answer = visitor.post(path, &[("email", email)]).await;
                assert_eq!(answer.status, 429, "{what} {email}");
                answers.push(traits(&answer, email).replace(&token, "…").replace(&visitor.form_token, "…"));
            }
            assert_eq!(answers[0], answers[1], "{what}");
            place.clock.advance(chrono::TimeDelta::hours(1));
        }
    }
}
