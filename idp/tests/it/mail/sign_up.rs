//! Addresses that are confirmed, after sign-up or before there is an account.

use axum::http::StatusCode;
use chrono::TimeDelta;
use idp::config::EmailVerification;
use platform::on_each_database;

use super::place;
use crate::pages::visitor::{EMAIL, PASSWORD};

const FORM: [(&str, &str); 3] = [("name", "Alice"), ("email", EMAIL), ("password", PASSWORD)];

on_each_database! {
    async fn a_new_address_is_confirmed_by_a_link(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let mut alice = place.alice().await;
        let mail = smtp.next(EMAIL).await;
        assert!(!place.is_verified(EMAIL).await);
        assert!(alice.get("/account/email").await.body.contains("Not confirmed."));

        let mut phone = place.visitor();
        let page = phone.open(&mail).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains(EMAIL), "{}", page.body);
        assert!(!place.is_verified(EMAIL).await, "opening a link does nothing");
        let done = phone.post("/email/confirm", &[]).await;
        assert!(done.body.contains("Your address is confirmed"), "{}", done.body);
        assert!(place.is_verified(EMAIL).await && !phone.is_logged_in().await);
        assert!(alice.get("/account/email").await.body.contains("Confirmed."));
        assert!(phone.follow(&mail).await.body.contains("This link is no longer good"), "it is good once");
    }

    async fn who_has_lost_the_mail_is_sent_another_one(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let mut alice = place.alice().await;
        let lost = smtp.next(EMAIL).await;
        alice.get("/account/email").await;
        let answer = alice.post("/account/email/send", &[]).await;
        assert_eq!(answer.location(), "/account/email");
        assert!(alice.get("/account/email").await.body.contains("We have sent you a mail"));
        let mail = smtp.next(EMAIL).await;
        assert_ne!(mail.link(), lost.link());
        place.clock.advance(TimeDelta::hours(24));
        assert!(alice.follow(&mail).await.body.contains("no longer good"), "a day later");
    }

    async fn where_it_is_off_nobody_is_mailed(db) {
        let (place, smtp) = place(db, |config| config.email_verification = EmailVerification::Off).await;
        place.alice().await;
        place.settle().await;
        assert!(smtp.take().is_empty());
    }

    async fn where_it_is_required_there_is_no_account_before(db) {
        let (place, smtp) = place(db, |config| config.email_verification = EmailVerification::Required).await;
        let mut alice = place.visitor();
        alice.get("/signup").await;
        let answer = alice.post("/signup", &FORM).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/signup/sent"));
        assert!(alice.session().is_none());
        let mail = smtp.next(EMAIL).await;
        let answer = alice.log_in(EMAIL, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "nobody is known yet");

        assert!(alice.open(&mail).await.body.contains("Make your account?"));
        assert_eq!(alice.log_in(EMAIL, PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(alice.follow(&mail).await.body.contains("Your account is made"));
        assert!(place.is_verified(EMAIL).await && alice.session().is_none());
        assert!(alice.follow(&mail).await.body.contains("no longer good"));
        assert_eq!(alice.log_in(EMAIL, PASSWORD).await.location(), "/account");
    }

    /// Whoever was first to name the address has prepared nothing for its owner.
    async fn each_of_two_who_sign_up_has_a_link_for_their_own_password(db) {
        let (place, smtp) = place(db, |config| config.email_verification = EmailVerification::Required).await;
        let (mut mallory, mut alice) = (place.visitor(), place.visitor());
        mallory.get("/signup").await;
        mallory.post("/signup", &[("name", "Alice"), ("email", EMAIL), ("password", "mallory waits inside here")]).await;
        let of_mallory = smtp.next(EMAIL).await;
        alice.get("/signup").await;
        alice.post("/signup", &FORM).await;
        let mail = smtp.next(EMAIL).await;
        alice.follow(&mail).await;
        assert_eq!(mallory.log_in(EMAIL, "mallory waits inside here").await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(alice.log_in(EMAIL, PASSWORD).await.location(), "/account");
        assert!(alice.follow(&of_mallory).await.body.contains("no longer good"), "the address is taken now");
    }

    async fn where_it_is_required_nobody_logs_in_before(db) {
        let (place, smtp) = place(db, |_| {}).await;
        place.alice().await;
        let first = smtp.next(EMAIL).await;
        let place = place.restart(|config| config.email_verification = EmailVerification::Required).await;
        let mut alice = place.visitor();
        for _ in 0..2 {
            assert_eq!(alice.log_in(EMAIL, "wrong").await.status, StatusCode::UNPROCESSABLE_ENTITY);
            let answer = alice.log_in(EMAIL, PASSWORD).await;
            assert_eq!(answer.location(), "/email/unconfirmed");
            assert!(alice.session().is_none());
        }
        assert!(alice.get("/email/unconfirmed").await.body.contains("Confirm your address first"));
        place.settle().await;
        assert!(smtp.take().is_empty(), "one was sent just before");
        place.clock.advance(TimeDelta::minutes(2));
        alice.log_in(EMAIL, PASSWORD).await;
        let mail = smtp.next(EMAIL).await;
        assert_ne!(mail.link(), first.link());
        alice.follow(&mail).await;
        assert_eq!(alice.log_in(EMAIL, PASSWORD).await.location(), "/account");
    }
}
