//! Recovery codes.

use futures_util::future::join_all;
use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::json;

use super::phone::recovery_codes;
use crate::fixture::{PASSWORD, TestIdp, claims, location, redirected};

on_each_database! {
    async fn a_recovery_code_lets_in_once_however_it_is_typed(db) {
        let idp = TestIdp::new(db).await;
        let (alice, phone, codes) = idp.with_app("alice").await;
        let typed = [codes[0].clone(), codes[1].to_lowercase(), codes[2].replace('-', " "), codes[3].replace('-', "")];
        for code in &typed {
            let browser = idp.after_password("alice").await;
            assert_eq!(location(&browser.recover(code).await), "/account", "{code}");
        }
        let browser = idp.after_password("alice").await;
        for spent in typed.iter().chain(&codes[..4]).take(4) {
            assert_eq!(browser.recover(spent).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "{spent}");
        }
        assert!(!browser.has_session());
        let security = alice.get("/account/security").await.text().await.unwrap();
        assert!(security.contains("6 left"), "{security}");
        idp.next_step();
        assert_eq!(location(&idp.after_password("alice").await.second(&phone.code(&idp)).await), "/account");
    }

    async fn a_log_in_with_one_says_so(db) {
        let idp = TestIdp::new(db).await;
        let (_, _, codes) = idp.with_app("alice").await;
        let browser = idp.browser();
        let login = location(&browser.authorize("web", &[]).await);
        let second = location(&browser.log_in(&login, "alice", PASSWORD).await);
        let page = browser.get(&second).await.text().await.unwrap();
        let link = page.split("href=\"").find(|rest| rest.starts_with("/login/second?")).expect("a link");
        let recovery = link.split('"').next().unwrap().replace("&#38;", "&");
        assert!(recovery.contains("with=recovery"), "{recovery}");
        let resume = location(&browser.submit(browser.get(&recovery).await, &[("code", &codes[0])]).await);
        let (_, answer) = redirected(&browser.get(&resume).await);
        let (_, tokens) = idp.redeem("web", &answer["code"], &[]).await;
        assert_eq!(claims(&tokens["id_token"])["acr"], "urn:latchkey:acr:2fa");
        assert!(claims(&tokens["id_token"])["amr"].as_array().unwrap().contains(&json!("mfa")));
    }

    async fn of_fifty_that_send_the_same_recovery_code_one_gets_in(db) {
        let idp = TestIdp::with(db, |config| {
            config.throttle.per_account_and_network = 1000;
            config.throttle.per_account = 1000;
            config.throttle.per_network = 1000;
        }).await;
        let (_, _, codes) = idp.with_app("alice").await;
        let mut browsers = Vec::new();
        for _ in 0..50 {
            browsers.push(idp.after_password("alice").await);
        }
        join_all(browsers.iter().map(|browser| browser.recover(&codes[0]))).await;
        assert_eq!(browsers.iter().filter(|browser| browser.has_session()).count(), 1);
    }

    async fn new_ones_take_the_place_of_the_old_ones(db) {
        let idp = TestIdp::new(db).await;
        let (alice, _, old) = idp.with_app("alice").await;
        let page = alice.get("/account/recovery-codes").await.text().await.unwrap();
        assert!(old.iter().all(|code| !page.contains(code)), "they are shown once");
        let made = alice.post("/account/recovery-codes", &[]).await.text().await.unwrap();
        let new = recovery_codes(&made);
        assert_eq!(new.len(), 10);
        let browser = idp.after_password("alice").await;
        assert_eq!(browser.recover(&old[0]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(location(&browser.recover(&new[9]).await), "/account");
    }

    /// Without a second factor there is nothing to recover.
    async fn nobody_has_recovery_codes_alone(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        assert_eq!(location(&alice.get("/account/recovery-codes").await), "/account/security");
        assert_eq!(location(&alice.post("/account/recovery-codes", &[]).await), "/account/security");
        let browser = idp.browser();
        assert_eq!(location(&browser.log_in("/login", "alice", PASSWORD).await), "/account");
    }
}
