//! Of any number who use what is good once, one gets it.

use axum::http::StatusCode;
use idp::config::EmailVerification;
use platform::on_each_database;

use super::place;
use crate::pages::visitor::{EMAIL, PASSWORD, Visitor};

/// Posts the same form 50 times at once; returns how many answers are no refusals.
async fn race(visitor: &Visitor, path: &str, fields: &[(&str, &str)]) -> usize {
    let racers: Vec<_> = (0..50)
        .map(|_| {
            let mut racer = visitor.clone();
            let path = path.to_owned();
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            tokio::spawn(async move {
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let answer = racer.post(&path, &fields).await;
                answer.status == StatusCode::OK
                    || answer.location() == "/account"
                    || answer.location() == "/account/email"
            })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += usize::from(racer.await.unwrap());
    }
    won
}

on_each_database! {
    async fn of_50_who_use_a_link_one_wins(db) {
        let (place, smtp) = place(db, |config| config.passwords.queue = 100).await;
        let mut alice = place.alice().await;
        let confirmation = smtp.next(EMAIL).await;
        alice.open(&confirmation).await;
        assert_eq!(race(&alice, "/email/confirm", &[]).await, 1);

        alice.get("/account/email").await;
        alice.post("/account/email", &[("email", "new@example.com")]).await;
        let change = smtp.next("new@example.com").await;
        alice.open(&change).await;
        assert_eq!(race(&alice, "/account/email/confirm", &[]).await, 1);

        let mail = smtp.next(EMAIL).await;
        alice.open(&mail).await;
        assert_eq!(race(&alice, "/email/take-back", &[]).await, 1);

        let reset = smtp.next(EMAIL).await;
        alice.open(&reset).await;
        assert_eq!(race(&alice, "/reset", &[("password", "a quite different set of words")]).await, 1);
    }

    async fn of_50_who_make_an_account_by_a_link_one_wins(db) {
        let (place, smtp) = place(db, |config| config.email_verification = EmailVerification::Required).await;
        let mut alice = place.visitor();
        alice.get("/signup").await;
        alice.post("/signup", &[("name", "Alice"), ("email", EMAIL), ("password", PASSWORD)]).await;
        let mail = smtp.next(EMAIL).await;
        alice.open(&mail).await;
        assert_eq!(race(&alice, "/signup/confirm", &[]).await, 1);
    }

    async fn of_50_who_enter_a_code_one_wins(db) {
        let (place, smtp) = place(db, |config| config.mailed_code_login = true).await;
        place.alice().await;
        smtp.next(EMAIL).await;
        let mut visitor = place.visitor();
        visitor.get("/login/code").await;
        visitor.post("/login/code", &[("email", EMAIL)]).await;
        visitor.get("/login/code/enter").await;
        let code = smtp.next(EMAIL).await.code();
        assert_eq!(race(&visitor, "/login/code/enter", &[("code", &code)]).await, 1);
    }

    async fn of_50_who_guess_a_code_five_are_heard(db) {
        let (place, smtp) = place(db, |config| config.mailed_code_login = true).await;
        place.alice().await;
        smtp.next(EMAIL).await;
        let mut visitor = place.visitor();
        visitor.get("/login/code").await;
        visitor.post("/login/code", &[("email", EMAIL)]).await;
        visitor.get("/login/code/enter").await;
        let code: u32 = smtp.next(EMAIL).await.code().parse().unwrap();
        let racers: Vec<_> = (1..51).map(|offset| {
            let mut racer = visitor.clone();
            let guess = format!("{:06}", (code + offset) % 1_000_000);
            tokio::spawn(async move { racer.post("/login/code/enter", &[("code", &guess)]).await.body })
        }).collect();
        let mut heard = 0;
        for racer in racers {
            heard += usize::from(racer.await.unwrap().contains("This is not the code"));
        }
        assert_eq!(heard, 5);
    }
}
