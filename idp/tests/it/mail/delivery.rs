//! How mails leave.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use idp::{
    config::MailTls,
    store::{outbox, sweep},
};
use platform::{on_conn, on_each_database, testing::TestDb};

use super::{Smtp, place, place_with};
use crate::pages::visitor::{EMAIL, Place};

/// All that lies in the tables of mail, as text.
async fn stored(place: &Place) -> String {
    let mut tx = place.tx().await;
    let rows: Vec<(String, String)> = on_conn!(&mut tx, |conn| {
        sqlx::query_as("SELECT email_normalized, letter FROM outbox").fetch_all(conn).await.unwrap()
    });
    format!("{rows:?}")
}

/// What was said to a server whose authority is known to us, or not.
async fn by_tls(db: TestDb, trusted: bool) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    let server = Smtp::start_tls(&ca_file);
    let (place, smtp) = place_with(db, server, |config| {
        config.mail.tls = MailTls::StartTls;
        config.mail.username = Some("latchkey".to_owned());
        config.mail.password = Some("a secret".into());
        config.mail.ca_file = trusted.then_some(ca_file);
    })
    .await;
    place.alice().await;
    if trusted {
        smtp.next(EMAIL).await;
    } else {
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    smtp.said()
}

on_each_database! {
    async fn a_server_that_refuses_is_tried_again_with_longer_and_longer_pauses(db) {
        let (place, smtp) = place(db, |_| {}).await;
        smtp.refuse(Some("451 later, alice@example.com"));
        place.alice().await;
        for (attempts, pause) in [(1, 5), (2, 30), (3, 120)] {
            while smtp.recipients() < attempts {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            tokio::time::sleep(Duration::from_millis(1200)).await;
            place.clock.advance(TimeDelta::seconds(pause - 1));
            tokio::time::sleep(Duration::from_millis(1200)).await;
            assert_eq!(smtp.recipients(), attempts, "not before {pause} s are over");
            place.clock.advance(TimeDelta::seconds(1));
        }
        smtp.refuse(None);
        place.clock.advance(TimeDelta::seconds(600));
        let mail = smtp.next(EMAIL).await;
        assert!(mail.text().contains("/email/confirm?token=lkm_"));
        place.settle().await;
        assert_eq!(stored(&place).await, "[]", "what was delivered is forgotten");
    }

    async fn a_mail_that_nobody_takes_is_given_up(db) {
        let (place, smtp) = place(db, |_| {}).await;
        smtp.refuse(Some("550 no such mailbox"));
        place.alice().await;
        place.settle().await;
        assert_eq!((smtp.recipients(), stored(&place).await.as_str()), (1, "[]"), "refused for good");

        smtp.refuse(Some("421 busy"));
        let mut visitor = place.visitor();
        visitor.get("/forgot").await;
        visitor.post("/forgot", &[("email", EMAIL)]).await;
        while smtp.recipients() < 2 {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        place.clock.advance(TimeDelta::hours(1));
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let mut tx = place.tx().await;
        assert!(!outbox::is_due(&mut tx, place.clock.now()).await.unwrap(), "the link would be no good any more");
        drop(tx);
        let db = platform::db::Db::open(&place.config.database_url, &idp::store::MIGRATIONS).await.unwrap();
        sweep(&db, place.clock.now() + TimeDelta::hours(2)).await.unwrap();
        assert_eq!(stored(&place).await, "[]");
    }

    async fn what_waits_in_the_database_opens_nothing(db) {
        let (place, smtp) = place(db, |config| config.mailed_code_login = true).await;
        smtp.refuse(Some("451 later"));
        let mut alice = place.alice().await;
        alice.get("/login/code").await;
        alice.post("/login/code", &[("email", EMAIL)]).await;
        alice.post("/forgot", &[("email", EMAIL)]).await;
        while smtp.recipients() < 3 {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let stored = stored(&place).await;
        assert!(stored.contains("reset") && !stored.contains("lkm_") && !stored.contains("token"), "{stored}");
    }

    async fn mails_have_two_bodies_and_come_from_the_place(db) {
        let (place, smtp) = place(db, |config| {
            config.mail.username = Some("latchkey".to_owned());
            config.mail.password = Some("a secret".into());
        }).await;
        place.alice().await;
        let mail = smtp.next(EMAIL).await;
        assert!(mail.data.contains("From: \"Test Place\" <no-reply@place.example>"), "{}", mail.data);
        assert_eq!(mail.subject(), "Confirm your e-mail address for Test Place");
        let link = format!("{}{}", place.config.issuer, mail.link());
        assert!(mail.part("text/html").contains(&format!("<a href=\"{link}\"")), "{}", mail.part("text/html"));
        assert!(!mail.data.contains("Alice"), "no words of a stranger");
        assert!(smtp.said().iter().any(|line| line.starts_with("AUTH PLAIN ")));
    }

    async fn mail_goes_by_tls_to_a_server_whose_certificate_is_good(db) {
        let said = by_tls(db, true).await;
        let verb = |verb: &str| said.iter().position(|line| line.starts_with(verb)).unwrap();
        assert!(verb("STARTTLS") < verb("AUTH") && verb("AUTH") < verb("MAIL"), "{said:?}");
    }

    async fn nothing_is_said_to_a_server_whose_certificate_is_not(db) {
        let said = by_tls(db, false).await;
        assert_eq!(said.last().unwrap(), "STARTTLS", "{said:?}");
    }

    async fn nothing_is_said_to_a_server_that_cannot_be_trusted_with_it(db) {
        let (place, smtp) = place(db, |config| {
            config.mail.tls = MailTls::StartTls;
            config.mail.username = Some("latchkey".to_owned());
            config.mail.password = Some("a secret".into());
        }).await;
        place.alice().await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let said = smtp.said();
        assert!(said.iter().any(|line| line.starts_with("EHLO")), "{said:?}");
        assert!(!said.iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")), "{said:?}");
    }

    async fn without_a_server_mails_are_shown_on_this_machine(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        assert!(visitor.get("/dev/mail").await.body.contains("Nobody has been sent a mail."));
        let mut alice = place.alice().await;
        place.settle().await;
        let page = alice.get("/dev/mail").await;
        assert!(page.body.contains("Confirm your e-mail address") && page.body.contains(EMAIL), "{}", page.body);
        let (_, link) = page.body.split_once("<a href=\"http").unwrap();
        let path = link.split('"').next().unwrap().splitn(4, '/').nth(3).unwrap();
        let opened = alice.get(&format!("/{path}")).await;
        assert_eq!(opened.location(), "/email/confirm");

        let place = place.restart(|config| {
            config.mail.host = Some("localhost".to_owned());
            config.mail.from = Some("a@example.com".to_owned());
        }).await;
        assert_eq!(place.visitor().get("/dev/mail").await.status, StatusCode::NOT_FOUND);
        let place = place.restart(|config| {
            config.mail.host = None;
            config.issuer = "https://id.example".to_owned();
        }).await;
        assert_eq!(place.visitor().get("/dev/mail").await.status, StatusCode::NOT_FOUND);
    }
}
