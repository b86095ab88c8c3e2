//! `/account/password`

use idp::store::users;
use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::Value;

use super::{beside, demands_a_log_in, text, user};
use crate::fixture::{Browser, PASSWORD, TestIdp, location, refused};

const NEW: &str = "another horse, another staple";
const PATH: &str = "/account/password";

async fn change(browser: &Browser<'_>, current: &str, new: &str) -> reqwest::Response {
    browser.post(PATH, &[("current", current), ("password", new)]).await
}

async fn tokens(idp: &TestIdp, browser: &Browser<'_>, scope: &str) -> Value {
    let code = browser.code("web", &[("scope", scope)]).await;
    idp.redeem("web", &code, &[]).await.1
}

on_each_database! {
    async fn a_new_password_logs_one_out_everywhere_else(db) {
        let idp = TestIdp::new(db).await;
        let here = idp.signed_up("alice").await;
        let there = idp.browser();
        there.log_in("/login", "alice", PASSWORD).await;
        let (mine, others) = (tokens(&idp, &here, "openid").await, tokens(&idp, &there, "openid").await);
        let offline = tokens(&idp, &there, "openid offline_access").await;
        let stolen = here.cookies.clone();

        let changed = change(&here, PASSWORD, NEW).await;
        assert_eq!(location(&changed), "/account/security", "{}", text(changed).await);
        assert!(text(here.get("/account/security").await).await.contains("Your password was changed."));
        assert!(location(&there.get("/account").await).starts_with("/login"));
        assert_eq!(idp.refresh("web", &others["refresh_token"]).await, refused("invalid_grant"));
        assert_eq!(idp.refresh("web", &mine["refresh_token"]).await.0, StatusCode::OK, "what this browser began goes on");
        assert_eq!(idp.refresh("web", &offline["refresh_token"]).await.0, StatusCode::OK, "offline_access outlives it");
        let thief = Browser { idp: &idp, cookies: stolen };
        assert!(location(&thief.get("/account").await).starts_with("/login"), "the session has a new id");

        assert_eq!(there.log_in("/login", "alice", PASSWORD).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(there.log_in("/login", "alice", NEW).await.status(), StatusCode::SEE_OTHER);
    }

    async fn nobody_changes_a_password_without_knowing_it(db) {
        let idp = TestIdp::with(db, |config| config.throttle.per_account_and_network = 3).await;
        let alice = idp.signed_up("alice").await;
        for (current, new, id, words) in [
            ("", NEW, "current", "Enter your current password."),
            (PASSWORD, "", "password", "Choose a password."),
            (PASSWORD, "short", "password", "at least 8"),
            (PASSWORD, "Password1", "password", "has leaked before"),
            (PASSWORD, "alice@example.com", "password", "easy to guess"),
            (PASSWORD, PASSWORD, "password", "the password that you have"),
            ("not the password", NEW, "current", "not your current password"),
        ] {
            let refused = change(&alice, current, new).await;
            assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{current} {new}");
            let page = text(refused).await;
            assert!(beside(&page, id).contains(words), "{current} {new}: {page}");
            assert_eq!(page.matches("autofocus").count(), 1, "{current} {new}");
            assert!(page.contains("<title>Problem: ") && !page.contains("not the password") && !page.contains(PASSWORD));
        }
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(change(&alice, "a guess", NEW).await.status().as_u16());
        }
        assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
        let late = change(&alice, PASSWORD, NEW).await;
        assert!(late.status() == StatusCode::TOO_MANY_REQUESTS && late.headers().contains_key("retry-after"));
        assert!(text(alice.get("/account").await).await.contains("alice@example.com"));
    }

    async fn only_who_has_logged_in_just_now_changes_a_password(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        demands_a_log_in(&idp, &alice, PATH, true).await;
        idp.clock.advance(chrono::TimeDelta::minutes(11));
        assert!(location(&change(&alice, PASSWORD, NEW).await).starts_with("/login?return_to="));
        assert_eq!(idp.browser().log_in("/login", "alice", PASSWORD).await.status(), StatusCode::SEE_OTHER);
    }

    async fn who_has_no_password_chooses_one(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let mut tx = idp.db.write().await.unwrap();
        let id = user(&mut tx, "alice").await.id;
        users::set_password(&mut tx, id, "", idp.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        let page = text(alice.get(PATH).await).await;
        assert!(page.contains("<h1>Choose a password</h1>") && !page.contains("current-password"));
        let chosen = alice.post(PATH, &[("password", NEW)]).await;
        assert_eq!(location(&chosen), "/account/security");
        assert_eq!(idp.browser().log_in("/login", "alice", NEW).await.status(), StatusCode::SEE_OTHER);
    }

    async fn of_parallel_changes_one_counts(db) {
        let idp = TestIdp::with(db, |config| config.throttle.per_account_and_network = 50).await;
        let alice = idp.signed_up("alice").await;
        let token = alice.form_token().await;
        let racers = (0..10).map(|index| {
            let new = format!("{NEW} {index}");
            let form = [("form_token", token.as_str()), ("current", PASSWORD), ("password", &new)];
            let request = idp.http.post(idp.at(PATH)).header("cookie", alice.cookies.header()).form(&form);
            tokio::spawn(async move { request.send().await.unwrap() })
        });
        for racer in racers.collect::<Vec<_>>() {
            racer.await.unwrap();
        }
        let mut known = 0;
        for index in 0..10 {
            known += usize::from(idp.browser().log_in("/login", "alice", &format!("{NEW} {index}")).await.status() == StatusCode::SEE_OTHER);
        }
        assert_eq!(known, 1);
    }

    async fn a_password_that_has_leaked_is_nobodys(db) {
        let idp = TestIdp::new(db).await;
        let form = [("name", "Bob"), ("email", "bob@example.com"), ("password", "iloveyou")];
        let page = text(idp.browser().post("/signup", &form).await).await;
        assert!(beside(&page, "password").contains("has leaked before"), "{page}");
        let passwords = idp::config::Passwords { memory: 8, iterations: 1, min_score: 0, ..Default::default() };
        let password = "PassWord1".into();
        let added = idp::admin::users::add(&idp.operator, &passwords, "bob@example.com", "Bob", &password, idp.clock.now());
        assert!(added.await.unwrap_err().to_string().contains("has leaked before"));
    }
}
