//! Where a second factor is demanded of everybody: no way to log in leads around it.

use idp::config::ClientConfig;
use platform::{on_each_database, testing::TestDb};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::phone::{Phone, recovery_codes};
use crate::fixture::{Browser, PASSWORD, TestIdp, claims, clients, location, redirected};

/// Nobody gets anywhere by one factor.
async fn strict(db: TestDb) -> TestIdp {
    TestIdp::with(db, |config| config.require_second_factor = true).await
}

/// `bank` is first-party and demands a second factor; `vault` asks for consent, too.
async fn with_bank(db: TestDb) -> TestIdp {
    TestIdp::with(db, |config| {
        let like = |client: &str, id: &str| ClientConfig {
            client_id: id.to_owned(),
            redirect_uris: vec![crate::fixture::redirect_uri(id)],
            require_second_factor: true,
            grant_types: Some(vec![
                "authorization_code".to_owned(),
                "refresh_token".to_owned(),
                DEVICE.to_owned(),
            ]),
            ..clients().into_iter().find(|known| known.client_id == client).unwrap()
        };
        config.clients.push(like("web", "bank"));
        config.clients.push(like("shop", "vault"));
    })
    .await
}

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The tokens of `client`, for the answer that a browser was sent away with.
async fn redeemed(idp: &TestIdp, client: &str, answer: &Response) -> Value {
    let (_, parameters) = redirected(answer);
    let (status, tokens) = idp.redeem(client, &parameters["code"], &[]).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    tokens
}

impl Browser<'_> {
    /// Sets up an app on the page that is demanded on the way in; where the person goes on from there.
    async fn set_up_at(&self, path: &str) -> (Phone, String) {
        let page = self.get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        let html = page.text().await.unwrap();
        let phone = Phone::with_key_of(&html);
        let refused = self.submit(self.get(path).await, &[("code", &phone.wrong_code(self.idp))]).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!self.has_session());
        let done = self.submit(refused, &[("code", &phone.code(self.idp))]).await;
        assert_eq!(done.status(), StatusCode::OK);
        let html = done.text().await.unwrap();
        assert_eq!(recovery_codes(&html).len(), 10);
        let (_, rest) = html.split_once("id=\"recovery-continue\"").unwrap();
        let next = rest.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
        self.idp.next_step();
        (phone, next)
    }
}

on_each_database! {
    async fn who_signs_up_sets_one_up_before_anything_else(db) {
        let idp = strict(db).await;
        let browser = idp.browser();
        let setup = location(&browser.sign_up("/signup", "alice").await);
        assert_eq!(setup, "/login/setup");
        assert!(!browser.has_session());
        assert!(location(&browser.get("/account").await).starts_with("/login"));
        let (phone, next) = browser.set_up_at(&setup).await;
        assert_eq!(next, "/account");
        assert!(browser.has_session());
        assert_eq!(browser.get(&next).await.status(), StatusCode::OK);
        let other = idp.after_password("alice").await;
        assert_eq!(location(&other.second(&phone.code(&idp)).await), "/account");
    }

    /// An app's own log-in and sign-up lead over it, and on to the app.
    async fn an_app_is_reached_over_it(db) {
        let idp = strict(db).await;
        let browser = idp.browser();
        let signup = location(&browser.authorize("web", &[("prompt", "create")]).await);
        let setup = location(&browser.sign_up(&signup, "alice").await);
        assert!(setup.starts_with("/login/setup?request="), "{setup}");
        let (_, next) = browser.set_up_at(&setup).await;
        let tokens = redeemed(&idp, "web", &browser.get(&next).await).await;
        assert_eq!(claims(&tokens["id_token"])["acr"], "urn:latchkey:acr:2fa");
        browser.code("web", &[("prompt", "none")]).await;
    }

    /// Who left before it was set up has an account, and sets it up at the next log-in.
    async fn it_is_asked_for_at_every_log_in_until_it_is_there(db) {
        let idp = strict(db).await;
        idp.browser().sign_up("/signup", "alice").await;
        for _ in 0..2 {
            let browser = idp.browser();
            assert_eq!(location(&browser.log_in("/login", "alice", PASSWORD).await), "/login/setup");
            for path in ["/account", "/account/totp", "/account/security", "/account/recovery-codes", "/device"] {
                assert!(location(&browser.get(path).await).starts_with("/login"), "{path}");
            }
            assert!(location(&browser.authorize("web", &[]).await).starts_with("/login?"));
            let second = browser.get("/login/second").await;
            assert_eq!(location(&second), "/login/setup", "there is no code to enter yet");
            assert_ne!(browser.second("000000").await.status(), StatusCode::OK);
            assert!(!browser.has_session());
        }
    }

    /// The setup page is no way around the factor that somebody has.
    async fn nobody_sets_up_another_one_instead_of_showing_the_first(db) {
        let idp = strict(db).await;
        let alice = idp.browser();
        alice.sign_up("/signup", "alice").await;
        let (phone, _) = alice.set_up_at("/login/setup").await;
        let thief = idp.after_password("alice").await;
        assert_eq!(location(&thief.get("/login/setup").await), "/login/second");
        assert_eq!(location(&thief.post("/login/setup", &[("code", "000000")]).await), "/login/second");

        // Nor one that was begun before the person had one.
        let (early, late) = (idp.browser(), idp.browser());
        early.sign_up("/signup", "bob").await;
        let key = Phone::with_key_of(&early.get("/login/setup").await.text().await.unwrap());
        late.log_in("/login", "bob", PASSWORD).await;
        late.set_up_at("/login/setup").await;
        assert_eq!(location(&early.post("/login/setup", &[("code", &key.code(&idp))]).await), "/login/second");
        assert!(!early.has_session() && !thief.has_session());
        assert_eq!(location(&thief.second(&phone.code(&idp)).await), "/account");
    }

    async fn the_last_one_cannot_be_turned_off(db) {
        let idp = strict(db).await;
        let alice = idp.browser();
        alice.sign_up("/signup", "alice").await;
        let (phone, _) = alice.set_up_at("/login/setup").await;
        let page = alice.get("/account/totp").await.text().await.unwrap();
        assert!(!page.contains("/account/totp/off"), "{page}");
        alice.post("/account/totp/off", &[]).await;
        assert_eq!(location(&idp.after_password("alice").await.second(&phone.code(&idp)).await), "/account");
    }

    /// Sessions from before the operator demanded it count no more.
    async fn sessions_of_one_factor_end_where_it_begins_to_be_demanded(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let cookies = alice.cookies.clone();
        let idp = idp.restarted(|config| config.require_second_factor = true).await;
        let alice = Browser { idp: &idp, cookies };
        assert!(location(&alice.get("/account").await).starts_with("/login"));
        assert!(location(&alice.authorize("web", &[]).await).starts_with("/login?"));
        assert_eq!(redirected(&alice.authorize("web", &[("prompt", "none")]).await).1["error"], "login_required");
    }

    async fn an_app_that_demands_it_is_not_reached_by_one_factor(db) {
        let idp = with_bank(db).await;
        let alice = idp.signed_up("alice").await;
        alice.code("web", &[]).await;
        for client in ["bank", "vault"] {
            let (_, refused) = redirected(&alice.authorize(client, &[("prompt", "none")]).await);
            assert_eq!(refused["error"], "interaction_required", "{client}");
            let second = location(&alice.authorize(client, &[]).await);
            assert!(second.starts_with("/login/second?request="), "{client}: {second}");
            let setup = location(&alice.get(&second).await);
            assert!(setup.starts_with("/login/setup?request="), "{client}: {setup}");
            for leads in ["/authorize/resume", "/consent"] {
                let handle = setup.split_once('?').unwrap().1;
                let around = alice.get(&format!("{leads}?{handle}")).await;
                let refused = around.status() == StatusCode::SEE_OTHER && location(&around).starts_with("/login");
                let consent = leads == "/consent" && around.status() == StatusCode::OK;
                assert!(refused || consent, "{client}: {leads}");
            }
            let (_, handle) = setup.split_once('=').unwrap();
            let decided = alice.post("/consent", &[("request", handle), ("decision", "allow")]).await;
            assert!(location(&decided).starts_with("/login"), "{client}: a consent does not help");
        }
        let browser = idp.browser();
        let login = location(&browser.authorize("bank", &[]).await);
        let setup = location(&browser.log_in(&login, "alice", PASSWORD).await);
        assert!(setup.starts_with("/login/setup?request="), "{setup}");
        let (_, next) = browser.set_up_at(&setup).await;
        let tokens = redeemed(&idp, "bank", &browser.get(&next).await).await;
        let introspected = crate::fixture::answer(idp.authenticated("/introspect", "bank", &[("token", tokens["access_token"].as_str().unwrap())])).await;
        assert_eq!(introspected.1["acr"], "urn:latchkey:acr:2fa");
    }

    async fn a_device_of_an_app_that_demands_it_gets_nothing_by_one_factor(db) {
        let idp = with_bank(db).await;
        let alice = idp.signed_up("alice").await;
        let (_, device) = crate::fixture::answer(idp.authenticated("/device_authorization", "bank", &[("scope", "openid")])).await;
        let code = device["user_code"].as_str().unwrap();
        let entered = alice.post("/device", &[("code", code)]).await;
        let second = location(&alice.get(&location(&entered)).await);
        assert!(second.starts_with("/login/second?user_code="), "{second}");
        let decided = alice.post("/device/confirm", &[("user_code", code), ("decision", "allow")]).await;
        assert_eq!(location(&decided), second);
        let poll = async || idp.token("bank", &[("grant_type", DEVICE), ("device_code", device["device_code"].as_str().unwrap())]).await;
        assert_eq!(poll().await.1, json!({"error": "authorization_pending"}));

        let setup = location(&alice.get(&second).await);
        assert!(setup.starts_with("/login/setup?user_code="), "{setup}");
        let html = alice.get(&setup).await.text().await.unwrap();
        let phone = Phone::with_key_of(&html);
        alice.submit(alice.get(&setup).await, &[("code", &phone.code(&idp))]).await;
        let entered = alice.post("/device", &[("code", code)]).await;
        let page = alice.get(&location(&entered)).await;
        assert_eq!(alice.submit(page, &[("decision", "allow")]).await.status(), StatusCode::OK);
        idp.clock.advance(chrono::TimeDelta::seconds(10));
        assert_eq!(claims(&poll().await.1["id_token"])["acr"], "urn:latchkey:acr:2fa");
    }
}
