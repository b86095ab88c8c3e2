//! Forgotten passwords.

use axum::http::StatusCode;
use chrono::TimeDelta;
use platform::on_each_database;

use super::place;
use crate::pages::visitor::{EMAIL, PASSWORD};

const NEW: &str = "a quite different set of words";

on_each_database! {
    async fn a_link_lets_a_new_password_be_chosen_once(db) {
        let (place, smtp) = place(db, |_| {}).await;
        let mut alice = place.alice().await;
        smtp.next(EMAIL).await;
        let mut visitor = place.visitor();
        assert!(visitor.get("/login").await.body.contains("href=\"/forgot\""));
        let mail = visitor.forget(&smtp, EMAIL).await;
        for _ in 0..2 {
            let page = visitor.open(&mail).await;
            assert_eq!(page.status, StatusCode::OK, "opening a link does not spend it");
            assert!(page.body.contains(EMAIL) && page.body.contains("autocomplete=\"new-password\""));
        }
        let weak = visitor.post("/reset", &[("password", "short")]).await;
        assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(weak.body.contains("Use at least 8 characters.") && weak.body.contains("aria-describedby=\"password-hint password-error\""));
        assert!(alice.is_logged_in().await);

        let done = visitor.post("/reset", &[("password", NEW)]).await;
        assert!(done.body.contains("Your password is changed"), "{}", done.body);
        assert!(!alice.is_logged_in().await, "everybody is logged out");
        assert!(visitor.session().is_none(), "nor is anybody logged in by it");
        assert!(place.is_verified(EMAIL).await, "who reads the mail has the address");
        assert_eq!(smtp.next(EMAIL).await.subject(), "Your password was changed: Test Place");
        assert!(visitor.open(&mail).await.body.contains("no longer good"));
        assert_eq!(visitor.post("/reset", &[("password", NEW)]).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(visitor.log_in(EMAIL, PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(visitor.log_in(EMAIL, NEW).await.location(), "/account");
    }

    async fn a_link_is_good_for_an_hour_and_nothing_else(db) {
        let (place, smtp) = place(db, |_| {}).await;
        place.alice().await;
        let confirmation = smtp.next(EMAIL).await;
        let mut visitor = place.visitor();
        let mail = visitor.forget(&smtp, EMAIL).await;
        let token = mail.link().split('=').nth(1).unwrap().to_owned();
        let other = confirmation.link().split('=').nth(1).unwrap().to_owned();
        for (path, token) in [
            ("/email/confirm", &token),
            ("/email/take-back", &token),
            ("/signup/confirm", &token),
            ("/reset", &other),
            ("/reset", &format!("{token}x")),
            ("/reset", &"lkm_unknown".to_owned()),
            ("/reset", &String::new()),
        ] {
            let opened = visitor.get(&format!("{path}?token={token}")).await;
            let next = opened.location().to_owned();
            let page = visitor.get(&next).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path} {token}");
            let answer = visitor.post(path, &[("password", NEW)]).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {token}");
        }
        place.clock.advance(TimeDelta::minutes(59));
        assert_eq!(visitor.open(&mail).await.status, StatusCode::OK, "none of this has used it up");
        place.clock.advance(TimeDelta::minutes(1));
        assert_eq!(visitor.post("/reset", &[("password", NEW)]).await.status, StatusCode::BAD_REQUEST);
    }

    async fn a_link_dies_when_the_password_changes(db) {
        let (place, smtp) = place(db, |_| {}).await;
        place.alice().await;
        let mut visitor = place.visitor();
        smtp.next(EMAIL).await;
        let first = visitor.forget(&smtp, EMAIL).await;
        let second = visitor.forget(&smtp, EMAIL).await;
        visitor.open(&second).await;
        visitor.post("/reset", &[("password", NEW)]).await;
        assert_eq!(visitor.open(&first).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(visitor.post("/reset", &[("password", PASSWORD)]).await.status, StatusCode::BAD_REQUEST);
    }

    async fn a_link_dies_with_whom_it_is_for(db) {
        let (place, smtp) = place(db, |_| {}).await;
        place.alice().await;
        let mut visitor = place.visitor();
        smtp.next(EMAIL).await;
        let mail = visitor.forget(&smtp, EMAIL).await;
        visitor.open(&mail).await;
        place.disable(EMAIL).await;
        assert_eq!(visitor.post("/reset", &[("password", NEW)]).await.status, StatusCode::BAD_REQUEST);
        visitor.get("/forgot").await;
        visitor.post("/forgot", &[("email", EMAIL)]).await;
        place.settle().await;
        assert!(smtp.take().is_empty(), "nor is anybody mailed who is disabled");
    }

    async fn the_mail_goes_to_the_address_that_is_known(db) {
        let (place, smtp) = place(db, |_| {}).await;
        place.alice().await;
        smtp.next(EMAIL).await;
        let mut visitor = place.visitor();
        visitor.get("/forgot").await;
        visitor.post("/forgot", &[("email", " ALICE@Example.COM ")]).await;
        smtp.next(EMAIL).await;
        let request = visitor.request("/forgot").header("host", "evil.example");
        let token = visitor.form_token.clone();
        let answer = visitor.send(request.form(&[("form_token", token.as_str()), ("email", EMAIL)])).await;
        if answer.status == StatusCode::SEE_OTHER {
            assert!(smtp.next(EMAIL).await.text().contains(&format!("{}/reset", place.config.issuer)));
        }
    }

    async fn nobody_asks_for_any_number_of_mails(db) {
        let (place, smtp) = place(db, |config| config.throttle.per_account_and_network = 2).await;
        place.alice().await;
        smtp.next(EMAIL).await;
        for email in [EMAIL, "nobody@example.com"] {
            let mut visitor = place.visitor_from("192.0.2.9");
            visitor.get("/forgot").await;
            let mut statuses = Vec::new();
            for _ in 0..3 {
                let answer = visitor.post("/forgot", &[("email", email)]).await;
                statuses.push((answer.status.as_u16(), answer.headers.contains_key("retry-after")));
            }
            assert_eq!(statuses, [(303, false), (303, false), (429, true)], "{email}");
        }
        place.settle().await;
        assert_eq!(smtp.take().len(), 2);
    }
}
