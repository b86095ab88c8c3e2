//! Deleting an account, and keeping it after all.

use chrono::TimeDelta;
use idp::{admin::users, store};
use platform::{db::on_conn, on_each_database};
use reqwest::StatusCode;

use super::{data::personal_tables, demands_a_log_in, text, user};
use crate::fixture::{Browser, PASSWORD, TestIdp, location, redirected, refused};

const DELETE: &str = "/account/data/delete";
/// What outlives an account, with nothing but its id: what apps are still owed, for a day.
const STAYS: [&str; 3] = ["audit_events", "logout_deliveries", "refusals"];

/// The one who asked for it, and is asked whether to keep the account.
async fn offered<'a>(idp: &'a TestIdp, name: &str) -> Browser<'a> {
    let browser = idp.browser();
    let answer = browser.log_in("/login", name, PASSWORD).await;
    assert_eq!(location(&answer), "/login/restore");
    assert!(browser.cookies.get("latchkey_idp_session").is_none());
    browser
}

on_each_database! {
    async fn an_account_that_is_to_be_deleted_lets_nobody_in(db) {
        let idp = TestIdp::new(db).await;
        let (alice, other) = (idp.signed_up("alice").await, idp.browser());
        other.log_in("/login", "alice", PASSWORD).await;
        let offline = other.code("web", &[("scope", "openid offline_access")]).await;
        let (_, offline) = idp.redeem("web", &offline, &[]).await;
        let unused = alice.code("web", &[]).await;
        demands_a_log_in(&idp, &alice, DELETE, true).await;
        let page = text(alice.get(DELETE).await).await;
        assert!(page.contains("What will be lost") && page.contains("For 14 days you can log in to keep the account"), "{page}");

        let deleted = alice.post(DELETE, &[]).await;
        assert_eq!(deleted.status(), StatusCode::OK);
        assert!(text(deleted).await.contains("Your account will be deleted"));
        for browser in [&alice, &other] {
            assert!(location(&browser.get("/account").await).starts_with("/login"));
        }
        assert_eq!(idp.redeem("web", &unused, &[]).await, refused("invalid_grant"));
        assert_eq!(idp.refresh("web", &offline["refresh_token"]).await, refused("invalid_grant"));
        assert_eq!(idp.userinfo(&offline["access_token"]).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(idp.browser().sign_up("/signup", "alice").await.status(), StatusCode::UNPROCESSABLE_ENTITY);

        let asked = offered(&idp, "alice").await;
        let page = text(asked.get("/login/restore").await).await;
        assert!(page.contains("Keep your account?") && page.contains("restore-confirm"));
        assert!(location(&asked.get("/account").await).starts_with("/login"), "nothing else is offered");
        assert_eq!(redirected(&asked.authorize("web", &[("prompt", "none")]).await).1["error"], "login_required");
        assert_eq!(idp.browser().log_in("/login", "alice", "wrong").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    async fn whoever_logs_in_in_time_can_keep_the_account(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        alice.post("/account/profile", &[("nickname", "Al")]).await;
        alice.post(DELETE, &[]).await;
        idp.clock.advance(TimeDelta::days(13));
        let (first, second) = (offered(&idp, "alice").await, offered(&idp, "alice").await);
        let stranger = idp.browser();
        assert_eq!(location(&stranger.post("/login/restore", &[]).await), "/login");
        assert_eq!(location(&stranger.get("/login/restore").await), "/login");

        assert_eq!(location(&first.post("/login/restore", &[]).await), "/account");
        assert!(text(first.get("/account/profile").await).await.contains("value=\"Al\""));
        assert_eq!(location(&second.post("/login/restore", &[]).await), "/login", "it was answered");
        idp.clock.advance(TimeDelta::days(3));
        users::delete_due(&idp.operator, idp.clock.now()).await.unwrap();
        assert_eq!(location(&idp.browser().log_in("/login", "alice", PASSWORD).await), "/account");
    }

    async fn the_answer_to_the_offer_has_ten_minutes_and_an_app_that_waits_is_not_forgotten(db) {
        let idp = TestIdp::new(db).await;
        idp.signed_up("alice").await.post(DELETE, &[]).await;
        let late = offered(&idp, "alice").await;
        idp.clock.advance(TimeDelta::minutes(11));
        assert_eq!(location(&late.post("/login/restore", &[]).await), "/login");

        let browser = idp.browser();
        let login = location(&browser.authorize("web", &[]).await);
        let offer = location(&browser.log_in(&login, "alice", PASSWORD).await);
        assert!(offer.starts_with("/login/restore?request="), "{offer}");
        let page = browser.get(&offer).await;
        let kept = browser.submit(page, &[]).await;
        assert!(location(&kept).starts_with("/authorize/resume?request="));
        assert!(redirected(&browser.get(&location(&kept)).await).1.contains_key("code"));
    }

    async fn after_the_grace_nothing_is_left(db) {
        let idp = TestIdp::new(db).await;
        let (alice, bob) = (idp.signed_up("alice").await, idp.signed_up("bob").await);
        for browser in [&alice, &bob] {
            idp.redeem("web", &browser.code("web", &[]).await, &[]).await;
        }
        let mut tx = idp.db.write().await.unwrap();
        let id = user(&mut tx, "alice").await.id;
        drop(tx);
        alice.post(DELETE, &[]).await;
        let late = offered(&idp, "alice").await;
        idp.clock.advance(TimeDelta::days(14));
        let answer = idp.browser().log_in("/login", "alice", PASSWORD).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "as if there was nobody");
        assert_eq!(location(&late.post("/login/restore", &[]).await), "/login");

        idp.clock.advance(TimeDelta::hours(2));
        users::delete_due(&idp.operator, idp.clock.now()).await.unwrap();
        let mut conn = idp.db.read().await.unwrap();
        assert!(store::users::find(&mut conn, id).await.unwrap().is_none());
        for table in personal_tables(&idp.db).await.iter().filter(|table| !STAYS.contains(&table.as_str())) {
            let count = format!("SELECT COUNT(*) FROM {table} WHERE user_id = $1");
            let left: i64 = on_conn!(&mut conn, |conn| {
                sqlx::query_scalar(sqlx::AssertSqlSafe(count)).bind(id).fetch_one(conn).await
            })
            .unwrap();
            assert_eq!(left, 0, "{table}");
        }
        drop(conn);
        assert_eq!(idp.browser().sign_up("/signup", "alice").await.status(), StatusCode::SEE_OTHER, "the address is free");
        assert_eq!(bob.get("/account/apps").await.status(), StatusCode::SEE_OTHER, "14 days are longer than a session");
        assert_eq!(location(&idp.browser().log_in("/login", "bob", PASSWORD).await), "/account");
    }

    async fn operators_delete_accounts_and_let_them_in_again(db) {
        let idp = TestIdp::new(db).await;
        let config = idp::Config { deletion_grace: 86400, ..Default::default() };
        let alice = idp.signed_up("alice").await;
        let email = "alice@example.com";
        let delete_at = users::delete(&idp.operator, &config, email, idp.clock.now()).await.unwrap();
        assert_eq!(delete_at, idp.clock.now() + TimeDelta::days(1));
        assert!(location(&alice.get("/account").await).starts_with("/login"));
        let asked = offered(&idp, "alice").await;
        users::disable(&idp.operator, email, idp.clock.now()).await.unwrap();
        assert_eq!(location(&asked.post("/login/restore", &[]).await), "/login", "who was disabled keeps nothing");
        assert_eq!(idp.browser().log_in("/login", "alice", PASSWORD).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
        users::enable(&idp.operator, email, idp.clock.now()).await.unwrap();
        assert_eq!(location(&alice.log_in("/login", "alice", PASSWORD).await), "/account");

        users::delete_now(&idp.operator, email, idp.clock.now()).await.unwrap();
        assert!(location(&alice.get("/account").await).starts_with("/login"));
        assert!(users::delete_now(&idp.operator, email, idp.clock.now()).await.is_err());
        assert!(users::delete(&idp.operator, &config, email, idp.clock.now()).await.is_err());
    }
}
