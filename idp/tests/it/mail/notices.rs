//! Mails about what happened to an account.

use chrono::TimeDelta;
use platform::on_each_database;

use super::place;
use crate::pages::visitor::{EMAIL, PASSWORD};

on_each_database! {
    async fn a_log_in_from_a_new_browser_is_told(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let mut alice = place.alice().await;
        let mail = smtp.next(EMAIL).await;
        let mut early = place.visitor_from("192.0.2.65");
        place.clock.advance(TimeDelta::minutes(11));
        assert_eq!(early.log_in(EMAIL, PASSWORD).await.location(), "/account");
        place.settle().await;
        assert!(smtp.take().is_empty(), "an address that nobody has confirmed gets no word");
        alice.follow(&mail).await;
        place.clock.advance(TimeDelta::minutes(11));
        assert_eq!(alice.log_in(EMAIL, PASSWORD).await.location(), "/account");
        let mut stranger = place.visitor_from("192.0.2.66");
        assert_eq!(stranger.log_in(EMAIL, PASSWORD).await.location(), "/account");
        let mail = smtp.next(EMAIL).await;
        assert_eq!(mail.subject(), "A log-in from a new browser: Test Place");
        assert!(mail.text().contains("192.0.2.66") && mail.text().contains("UTC"), "{}", mail.text());
        assert_eq!(stranger.log_in(EMAIL, PASSWORD).await.location(), "/account");
        place.settle().await;
        assert!(smtp.take().is_empty(), "nobody is told of browsers that are known");
    }

    async fn what_is_of_no_account_is_told_nobody(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let mut alice = place.alice().await;
        smtp.next(EMAIL).await;
        alice.log_in(EMAIL, "wrong").await;
        alice.post("/logout/confirm", &[]).await;
        place.settle().await;
        assert!(smtp.take().is_empty());
    }
}
