//! Somebody who comes from a provider with the address of an account that is there already.

use chrono::TimeDelta;
use futures_util::future::join_all;
use idp::store::users;
use platform::on_each_database;
use reqwest::{Response, StatusCode};
use serde_json::json;

use super::{idp_and_sso, idp_with, leads_to, refused, sso::Sso, upstream};
use crate::fixture::{Browser, PASSWORD, TestIdp, location, redirected};

/// Lets the provider say that it is `name` of example.com who logs in.
fn knows(sso: &Sso, name: &str, verified: bool) {
    let email = format!("{name}@example.com");
    sso.says(|saying| saying.claims = json!({"sub": name, "email": email, "email_verified": verified}));
}

async fn is_verified(idp: &TestIdp, email: &str) -> bool {
    let mut conn = idp.db.read().await.unwrap();
    users::find_by_email(&mut conn, email).await.unwrap().unwrap().email_verified
}

/// From the page that says so, through log-in by password, to the question.
async fn logged_in_to_link(browser: &Browser<'_>, place: &str, name: &str) -> Response {
    let html = browser.get(place).await.text().await.unwrap();
    let (_, rest) = html.split_once("id=\"link-log-in\" href=\"").unwrap_or_else(|| panic!("{html}"));
    let log_in = rest.split('"').next().unwrap().replace("&#38;", "&");
    let page = browser.get(&log_in).await;
    let email = format!("{name}@example.com");
    let question = location(&browser.submit(page, &[("email", &email), ("password", PASSWORD)]).await);
    assert!(question.starts_with("/account/linked/confirm?arrival="), "{question}");
    browser.get(&question).await
}

on_each_database! {
    async fn an_account_is_linked_after_both_were_proved_and_its_owner_said_so(db) {
        let (idp, sso) = idp_and_sso(db).await;
        idp.signed_up("alice").await;
        knows(&sso, "alice", true);
        let browser = idp.browser();
        let (_, waiting) = redirected(&browser.authorize("web", &[]).await);
        let asked = browser.sent_to("sso", &[("request", &waiting["request"])]).await;
        let place = leads_to(browser.get(sso.answer(&asked).as_str()).await).await;
        assert!(place.starts_with("/login/upstream?arrival="), "{place}");
        assert_eq!(browser.who().await, None, "an address lets nobody in");
        assert!(!is_verified(&idp, "alice@example.com").await);

        let question = logged_in_to_link(&browser, &place, "alice").await;
        let answer = browser.submit(question, &[("decision", "allow")]).await;
        assert!(location(&answer).starts_with("/authorize/resume"), "what waited goes on");
        assert!(is_verified(&idp, "alice@example.com").await, "the provider has proved it");

        let elsewhere = idp.browser();
        assert_eq!(leads_to(elsewhere.come_from(&sso).await).await, "/account");
        assert_eq!(elsewhere.who().await.as_deref(), Some("alice@example.com"));
    }

    async fn who_says_no_is_not_linked(db) {
        let (idp, sso) = idp_and_sso(db).await;
        idp.signed_up("alice").await;
        knows(&sso, "alice", true);
        let browser = idp.browser();
        let place = leads_to(browser.come_from(&sso).await).await;
        let question = logged_in_to_link(&browser, &place, "alice").await;
        let answer = browser.submit(question, &[("decision", "deny")]).await;
        assert_eq!(location(&answer), "/account");
        let elsewhere = idp.browser();
        assert!(leads_to(elsewhere.come_from(&sso).await).await.starts_with("/login/upstream"));
    }

    /// An account that somebody made with another's address before they came: neither gets the other's.
    async fn an_account_made_beforehand_is_neither_taken_over_nor_linked(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let mallory = idp.signed_up("victim").await;
        knows(&sso, "victim", true);
        let victim = idp.browser();
        let place = leads_to(victim.come_from(&sso).await).await;
        assert!(place.starts_with("/login/upstream"), "{place}");
        assert_eq!(mallory.get(&place).await.status(), StatusCode::BAD_REQUEST, "another browser");
        let confirm = place.replace("/login/upstream", "/account/linked/confirm");
        assert_eq!(mallory.get(&confirm).await.status(), StatusCode::BAD_REQUEST);
        let handle = place.split_once('=').unwrap().1;
        let answer = [("arrival", handle), ("decision", "allow")];
        assert_eq!(mallory.post("/account/linked/confirm", &answer).await.status(), StatusCode::BAD_REQUEST);
        assert!(location(&victim.post("/account/linked/confirm", &answer).await).starts_with("/login"));
        let made = [("arrival", handle), ("name", "Victim"), ("email", "victim@example.com")];
        assert_eq!(location(&victim.post("/signup/upstream", &made).await), place, "nor is there a second one");
        assert_eq!(victim.who().await, None);
    }

    /// Whoever is logged in here: the provider's word is about one address.
    async fn an_arrival_is_not_linked_to_another_account(db) {
        let (idp, sso) = idp_and_sso(db).await;
        idp.signed_up("alice").await;
        knows(&sso, "alice", true);
        let bob = idp.signed_up("bob").await;
        let place = leads_to(bob.come_from(&sso).await).await;
        let handle = place.split_once('=').unwrap().1;
        let answer = [("arrival", handle), ("decision", "allow")];
        assert_eq!(location(&bob.post("/account/linked/confirm", &answer).await), place);
        let confirm = place.replace("/login/upstream", "/account/linked/confirm");
        assert_eq!(location(&bob.get(&confirm).await), place);
        let bob_again = idp.browser();
        assert!(leads_to(bob_again.come_from(&sso).await).await.starts_with("/login/upstream"));
    }

    async fn an_address_that_nobody_verified_proves_nothing(db) {
        let (idp, sso) = idp_and_sso(db).await;
        idp.signed_up("alice").await;
        for verified in [json!(false), json!("true"), json!(1), json!(null)] {
            sso.says(|saying| saying.claims = json!({"email": "alice@example.com", "email_verified": verified}));
            let place = leads_to(idp.browser().come_from(&sso).await).await;
            assert!(place.starts_with("/signup/upstream"), "{verified}: {place}");
        }
        for email in [json!(null), json!("none"), json!(7), json!(["alice@example.com"])] {
            sso.says(|saying| {
                saying.claims = json!({"email": email});
                saying.userinfo = json!({"sub": "alice-1"});
            });
            let place = leads_to(idp.browser().come_from(&sso).await).await;
            assert!(place.starts_with("/signup/upstream"), "{email}: {place}");
        }
    }

    async fn a_provider_that_is_not_trusted_with_addresses_verifies_none(db) {
        let sso = Sso::new("sso");
        let mut distrusted = upstream("sso", &sso.url);
        distrusted.trust_email = Some(false);
        let idp = idp_with(db, vec![distrusted], |_| {}).await;
        idp.signed_up("alice").await;
        knows(&sso, "alice", true);
        let browser = idp.browser();
        let place = leads_to(browser.come_from(&sso).await).await;
        assert!(place.starts_with("/signup/upstream"), "{place}");
        let page = browser.get(&place).await;
        assert_eq!(browser.submit(page, &[("name", "A"), ("email", "a@example.com")]).await.status(), StatusCode::SEE_OTHER);
        assert!(!is_verified(&idp, "a@example.com").await);
    }

    /// OpenID Connect Core §5.3.2.
    async fn userinfo_is_asked_when_the_id_token_names_no_address_and_is_about_the_same_person(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let says = |userinfo| {
            sso.says(|saying| (saying.claims, saying.userinfo) = (json!({"email": null, "name": null}), userinfo));
        };
        says(json!({"sub": "somebody-else", "email": "alice@example.com", "email_verified": true}));
        assert_eq!(refused(idp.browser().come_from(&sso).await).await.0, 502);
        says(json!("no object"));
        assert_eq!(refused(idp.browser().come_from(&sso).await).await.0, 502);
        says(json!({"sub": "alice-1", "email": "alice@example.com", "email_verified": true, "name": "Alice A."}));
        let browser = idp.browser();
        let place = leads_to(browser.come_from(&sso).await).await;
        let html = browser.get(&place).await.text().await.unwrap();
        assert!(html.contains("value=\"Alice A.\"") && html.contains("<dd>alice@example.com</dd>"), "{html}");
    }

    async fn of_fifty_who_make_one_account_one_does(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let browser = idp.browser();
        let place = leads_to(browser.come_from(&sso).await).await;
        let (token, cookie) = (browser.form_token().await, browser.cookies.header());
        let form = [("arrival", place.split_once('=').unwrap().1), ("name", "Alice"), ("form_token", &token)];
        let post = || idp.http.post(idp.at("/signup/upstream")).header("cookie", &cookie).form(&form).send();
        let answers = join_all((0..50).map(|_| post())).await;
        let made = answers.iter().filter(|answer| answer.as_ref().unwrap().status() == StatusCode::SEE_OTHER);
        assert_eq!(made.count(), 1);
    }

    async fn where_accounts_are_made_by_the_operator_nobody_makes_one_by_coming(db) {
        let sso = Sso::new("sso");
        let open = Some(true);
        let mut upstreams = vec![upstream("sso", &sso.url), upstream("open", &sso.url)];
        upstreams[1].allow_sign_up = open;
        let idp = idp_with(db, upstreams, |config| config.sign_up = false).await;
        let browser = idp.browser();
        assert_eq!(refused(browser.come_from(&sso).await).await, (403, "You have no account here".to_owned()));
        let asked = browser.sent_to("open", &[]).await;
        let place = leads_to(browser.get(sso.answer(&asked).as_str()).await).await;
        assert!(place.starts_with("/signup/upstream"), "{place}");
        assert_eq!(browser.get(&place).await.status(), StatusCode::OK);
        idp.clock.advance(TimeDelta::minutes(30));
        assert_eq!(browser.get(&place).await.status(), StatusCode::BAD_REQUEST, "it waits for half an hour");
    }
}
