//! Changing the address of an account, and taking it back.

use axum::http::StatusCode;
use chrono::TimeDelta;
use platform::on_each_database;

use super::{Received, place};
use crate::pages::visitor::{EMAIL, PASSWORD, Place, Visitor};

const NEW: &str = "alice@new.example";

/// Alice with a confirmed address, and a link to change it.
async fn changing(place: &Place, smtp: &super::Smtp) -> (Visitor, Received) {
    let mut alice = place.alice().await;
    let mail = smtp.next(EMAIL).await;
    alice.follow(&mail).await;
    let link = change(&mut alice, smtp, NEW).await;
    (alice, link)
}

async fn change(visitor: &mut Visitor, smtp: &super::Smtp, to: &str) -> Received {
    visitor.get("/account/email").await;
    let answer = visitor.post("/account/email", &[("email", to)]).await;
    assert_eq!(answer.location(), "/account/email", "{}", answer.body);
    smtp.next(to).await
}

on_each_database! {
    async fn a_new_address_counts_once_it_is_confirmed(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let (mut alice, link) = changing(&place, &smtp).await;
        assert!(place.is_verified(EMAIL).await, "nothing has changed yet");
        let mut stranger = place.visitor();
        assert!(stranger.open(&link).await.location().starts_with("/login?return_to="), "for who asked, logged in");
        let mut bob = place.visitor_from("192.0.2.2");
        bob.get("/signup").await;
        bob.post("/signup", &[("name", "Bob"), ("email", "bob@example.com"), ("password", PASSWORD)]).await;
        assert_eq!(bob.open(&link).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(bob.post("/account/email/confirm", &[]).await.status, StatusCode::BAD_REQUEST);

        assert!(alice.open(&link).await.body.contains(NEW));
        let done = alice.post("/account/email/confirm", &[]).await;
        assert_eq!(done.location(), "/account/email", "{}", done.body);
        let page = alice.get("/account/email").await;
        assert!(page.body.contains("Your e-mail address was changed.") && page.body.contains("Confirmed."));
        assert!(place.is_verified(NEW).await);
        let mut visitor = place.visitor();
        assert_eq!(visitor.log_in(EMAIL, PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(visitor.log_in(NEW, PASSWORD).await.location(), "/account");
        assert!(smtp.next(EMAIL).await.text().contains(NEW), "the old address is told");
    }

    async fn what_cannot_be_the_new_address_is_said(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let mut alice = place.alice().await;
        smtp.next(EMAIL).await;
        alice.get("/account/email").await;
        for (email, words) in [
            ("", "Enter your e-mail address."),
            ("alice@", "like name@example.com"),
            (EMAIL, "This is your address already."),
        ] {
            let answer = alice.post("/account/email", &[("email", email)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{email}");
            assert!(answer.body.contains(words) && answer.body.contains("aria-describedby=\"email-error\""), "{email}");
        }
        place.clock.advance(TimeDelta::minutes(11));
        let late = alice.post("/account/email", &[("email", NEW)]).await;
        assert!(late.location().starts_with("/login?return_to="), "after ten minutes the password is asked for");
        place.settle().await;
        assert!(smtp.take().is_empty());
    }

    async fn only_its_owner_learns_that_an_address_is_taken(db) {
        let (place, smtp) = place(db, |_| {}).await;
        place.alice().await;
        smtp.next(EMAIL).await;
        let mut bob = place.visitor_from("192.0.2.2");
        bob.get("/signup").await;
        bob.post("/signup", &[("name", "Bob"), ("email", "bob@example.com"), ("password", PASSWORD)]).await;
        let mail = change(&mut bob, &smtp, EMAIL).await;
        assert_eq!(mail.subject(), "You have an account at Test Place");
        assert!(!mail.text().contains("token"));
    }

    async fn the_old_address_can_be_taken_back_for_a_week(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let (mut mallory, link) = changing(&place, &smtp).await;
        mallory.follow(&link).await;
        let first = smtp.next(EMAIL).await;
        place.clock.advance(TimeDelta::minutes(1));
        let link = change(&mut mallory, &smtp, "mallory@example.com").await;
        mallory.follow(&link).await;
        let second = smtp.next(NEW).await;
        let mut squatter = place.visitor_from("192.0.2.3");
        squatter.get("/signup").await;
        let taken = squatter.post("/signup", &[("name", "S"), ("email", EMAIL), ("password", PASSWORD)]).await;
        assert!(taken.body.contains("This address cannot be used."), "nobody gets it meanwhile");

        place.clock.advance(TimeDelta::days(6));
        let mut alice = place.visitor();
        assert!(alice.open(&first).await.body.contains("Take your address back?"));
        assert!(mallory.is_logged_in().await, "opening a link does nothing");
        let done = alice.post("/email/take-back", &[]).await;
        assert!(done.body.contains("yours again"), "{}", done.body);
        assert!(!mallory.is_logged_in().await);
        assert_eq!(mallory.log_in(EMAIL, PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(mallory.open(&second).await.status, StatusCode::BAD_REQUEST, "a later change has no way back");
        let reset = smtp.next(EMAIL).await;
        alice.open(&reset).await;
        alice.post("/reset", &[("password", "a quite different set of words")]).await;
        assert_eq!(alice.log_in(EMAIL, "a quite different set of words").await.location(), "/account");
    }

    async fn after_a_week_the_change_stays(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let (mut alice, link) = changing(&place, &smtp).await;
        alice.follow(&link).await;
        let mail = smtp.next(EMAIL).await;
        place.clock.advance(TimeDelta::days(7));
        assert_eq!(place.visitor().open(&mail).await.status, StatusCode::BAD_REQUEST);
    }

    /// Who mistyped the address at sign-up gives no stranger a way in by mending it.
    async fn an_address_that_was_never_confirmed_is_not_told(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let mut alice = place.alice().await;
        let confirmation = smtp.next(EMAIL).await;
        let link = change(&mut alice, &smtp, NEW).await;
        alice.follow(&link).await;
        place.settle().await;
        assert!(smtp.take().is_empty());
        assert_eq!(place.visitor().open(&confirmation).await.status, StatusCode::BAD_REQUEST);
    }

    async fn a_link_for_a_password_dies_with_the_address(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let (mut alice, link) = changing(&place, &smtp).await;
        let reset = place.visitor().forget(&smtp, EMAIL).await;
        alice.follow(&link).await;
        assert_eq!(place.visitor().open(&reset).await.status, StatusCode::BAD_REQUEST);
    }
}
