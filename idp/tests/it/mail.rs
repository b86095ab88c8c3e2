//! Mail, and what is done by it: addresses that are confirmed and changed, passwords that are chosen anew, codes.

mod browser;
mod codes;
mod delivery;
mod email;
mod enumeration;
mod notices;
mod races;
mod recovery;
mod sign_up;
mod smtp;

use std::time::Duration;

use axum::http::StatusCode;
use idp::{
    Config,
    config::MailTls,
    store::{outbox, users},
};
use platform::testing::TestDb;

use crate::pages::visitor::{Answer, Place, Visitor};
use smtp::{Received, Smtp};

/// A place with a mail server.
async fn place(db: TestDb, change: impl FnOnce(&mut Config)) -> (Place, Smtp) {
    place_with(db, Smtp::start(), change).await
}

async fn place_with(db: TestDb, smtp: Smtp, change: impl FnOnce(&mut Config)) -> (Place, Smtp) {
    let place = Place::with(db, |config| {
        config.mail.host = Some("localhost".to_owned());
        config.mail.port = Some(smtp.port);
        config.mail.tls = MailTls::None;
        config.mail.from = Some("Test Place <no-reply@place.example>".to_owned());
        change(config);
    })
    .await;
    (place, smtp)
}

impl Place {
    /// Waits until every mail that is owed has been dealt with, or postponed for long.
    async fn settle(&self) {
        for _ in 0..100 {
            let soon = self.clock.now() + chrono::TimeDelta::minutes(9);
            let mut tx = self.tx().await;
            if !outbox::is_due(&mut tx, soon).await.unwrap() {
                return;
            }
            drop(tx);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("mails are still owed");
    }

    async fn is_verified(&self, email: &str) -> bool {
        let mut tx = self.tx().await;
        users::find_by_email(&mut tx, email).await.unwrap().unwrap().email_verified
    }
}

impl Visitor {
    /// Opens a link of a mail, as far as the page that it leads to.
    async fn open(&mut self, mail: &Received) -> Answer {
        let opened = self.get(&mail.link()).await;
        assert_eq!(opened.status, StatusCode::SEE_OTHER, "{}", opened.body);
        assert_eq!(opened.headers["referrer-policy"], "no-referrer");
        assert!(!opened.location().contains("token"), "{}", opened.location());
        let next = opened.location().to_owned();
        self.get(&next).await
    }

    /// Opens a link, and presses the one button of its page.
    async fn follow(&mut self, mail: &Received) -> Answer {
        let page = self.open(mail).await;
        if page.status != StatusCode::OK {
            return page;
        }
        let path = mail.link().split('?').next().unwrap().to_owned();
        self.post(&path, &[]).await
    }

    /// Asks for a new password, and returns the mail about it.
    async fn forget(&mut self, smtp: &Smtp, email: &str) -> Received {
        self.get("/forgot").await;
        let answer = self.post("/forgot", &[("email", email)]).await;
        assert_eq!(answer.location(), "/forgot/sent", "{}", answer.body);
        smtp.next(email).await
    }
}
