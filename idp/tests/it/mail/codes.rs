//! Log-in by a code that is mailed.

use axum::http::StatusCode;
use chrono::TimeDelta;
use platform::{on_each_database, testing::TestDb};

use super::{Smtp, place};
use crate::pages::visitor::{EMAIL, PASSWORD, Place, Visitor};

async fn with_codes(db: TestDb) -> (Place, Smtp) {
    let (place, smtp) = place(db, |config| config.mailed_code_login = true).await;
    place.alice().await;
    smtp.next(EMAIL).await;
    (place, smtp)
}

impl Visitor {
    async fn ask_for_code(&mut self, smtp: &Smtp) -> String {
        self.get("/login/code").await;
        let answer = self.post("/login/code", &[("email", EMAIL)]).await;
        assert_eq!(answer.location(), "/login/code/enter", "{}", answer.body);
        assert!(self.get("/login/code/enter").await.body.contains("autocomplete=\"one-time-code\""));
        smtp.next(EMAIL).await.code()
    }
}

/// Another code of six digits.
fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

on_each_database! {
    async fn a_mailed_code_logs_in_once(db) {
        let (place, smtp) = with_codes(db).await;
        let mut visitor = place.visitor();
        assert!(visitor.get("/login").await.body.contains("href=\"/login/code\""));
        let code = visitor.ask_for_code(&smtp).await;
        let mut thief = visitor.clone();
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        let answer = visitor.post("/login/code/enter", &[("code", &spaced)]).await;
        assert_eq!(answer.location(), "/account", "{}", answer.body);
        assert!(visitor.is_logged_in().await);
        assert!(place.is_verified(EMAIL).await, "who reads the mail has the address");
        let answer = thief.post("/login/code/enter", &[("code", &code)]).await;
        assert_eq!(answer.location(), "/login/code", "{}", answer.body);
    }

    /// Nothing dies that its maker has set up; and their session, unused for a while, stands in nobody's way.
    async fn who_is_logged_in_proves_an_address_without_losing_anything(db) {
        let (place, smtp) = place(db, |config| config.mailed_code_login = true).await;
        let mut alice = place.alice().await;
        smtp.next(EMAIL).await;
        place.clock.advance(TimeDelta::minutes(6));
        let code = alice.ask_for_code(&smtp).await;
        let answer = alice.post("/login/code/enter", &[("code", &code)]).await;
        assert_eq!(answer.location(), "/account", "{}", answer.body);
        assert!(place.is_verified(EMAIL).await);
        assert_eq!(place.visitor().log_in(EMAIL, PASSWORD).await.location(), "/account", "the password is still good");
    }

    async fn a_code_is_for_the_browser_that_asked(db) {
        let (place, smtp) = with_codes(db).await;
        let (mut alice, mut mallory) = (place.visitor(), place.visitor());
        let code = alice.ask_for_code(&smtp).await;
        let of_mallory = mallory.ask_for_code(&smtp).await;
        if code != of_mallory {
            let answer = mallory.post("/login/code/enter", &[("code", &code)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let handle = alice.cookies.get("latchkey_idp_mailed_code").unwrap();
        let request = mallory.request("/login/code/enter");
        let token = mallory.form_token.clone();
        let browser = mallory.cookies.get("latchkey_idp_browser").unwrap();
        let cookies = format!("latchkey_idp_mailed_code={handle}; latchkey_idp_browser={browser}");
        let form = [("form_token", token.as_str()), ("code", code.as_str())];
        let answer = request.header("cookie", cookies).form(&form).send().await.unwrap();
        assert_eq!(answer.headers()["location"], "/login/code", "the cookie alone is not enough");
        assert_eq!(alice.post("/login/code/enter", &[("code", &code)]).await.location(), "/account");
    }

    async fn five_tries_are_all_there_are(db) {
        let (place, smtp) = with_codes(db).await;
        let mut visitor = place.visitor();
        let code = visitor.ask_for_code(&smtp).await;
        for wrong_code in ["12345", "", "abcdef"] {
            let answer = visitor.post("/login/code/enter", &[("code", wrong_code)]).await;
            assert!(answer.body.contains("Enter the six digits"), "no try is lost by what cannot be one");
        }
        for _ in 0..5 {
            let answer = visitor.post("/login/code/enter", &[("code", &wrong(&code))]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(answer.body.contains("This is not the code"), "{}", answer.body);
        }
        let answer = visitor.post("/login/code/enter", &[("code", &code)]).await;
        assert!(answer.body.contains("no longer good"), "{}", answer.body);
        assert!(!visitor.is_logged_in().await);
    }

    async fn a_code_is_good_for_ten_minutes(db) {
        let (place, smtp) = with_codes(db).await;
        let mut visitor = place.visitor();
        let code = visitor.ask_for_code(&smtp).await;
        place.clock.advance(TimeDelta::minutes(10));
        let answer = visitor.post("/login/code/enter", &[("code", &code)]).await;
        assert_eq!(answer.location(), "/login/code");
        assert!(!visitor.is_logged_in().await);
    }

    async fn who_is_disabled_gets_no_code_and_no_code_lets_them_in(db) {
        let (place, smtp) = with_codes(db).await;
        let mut visitor = place.visitor();
        let code = visitor.ask_for_code(&smtp).await;
        place.disable(EMAIL).await;
        let answer = visitor.post("/login/code/enter", &[("code", &code)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        visitor.post("/login/code", &[("email", EMAIL)]).await;
        place.settle().await;
        assert!(smtp.take().is_empty());
    }

    /// Somebody made an account with another's address, and waits for its owner inside.
    async fn what_was_prepared_with_an_unconfirmed_address_dies(db) {
        let (place, smtp) = place(db, |config| config.mailed_code_login = true).await;
        let mut mallory = place.alice().await;
        smtp.next(EMAIL).await;
        let mut owner = place.visitor();
        let code = owner.ask_for_code(&smtp).await;
        assert_eq!(owner.post("/login/code/enter", &[("code", &code)]).await.location(), "/account");
        assert!(!mallory.is_logged_in().await);
        assert_eq!(place.visitor().log_in(EMAIL, PASSWORD).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(owner.is_logged_in().await);
    }

    async fn who_made_the_account_keeps_the_password(db) {
        let (place, smtp) = place(db, |config| config.mailed_code_login = true).await;
        let mut alice = place.alice().await;
        smtp.next(EMAIL).await;
        let code = alice.ask_for_code(&smtp).await;
        assert_eq!(alice.post("/login/code/enter", &[("code", &code)]).await.location(), "/account");
        assert_eq!(place.visitor().log_in(EMAIL, PASSWORD).await.location(), "/account");
    }

    async fn where_it_is_off_there_is_no_such_page(db) {
        let (place, _) = place(db, |_| {}).await;
        let mut visitor = place.visitor();
        assert!(!visitor.get("/login").await.body.contains("/login/code"));
        assert_eq!(visitor.get("/login/code").await.status, StatusCode::NOT_FOUND);
    }
}
