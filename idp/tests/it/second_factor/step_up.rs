//! Requests that ask for more than one factor: `acr_values`, `claims` (OpenID Connect Core §3.1.2.1, §5.5.1.1), RFC 9470.

use chrono::TimeDelta;
use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::phone::Phone;
use crate::fixture::{Browser, PASSWORD, TestIdp, claims, location, redirected};

const ONE: &str = "urn:latchkey:acr:1fa";
const TWO: &str = "urn:latchkey:acr:2fa";

/// What is asked for; and what comes of it without a second factor, with one that was not shown, and with one that was.
type Case<'a> = (&'a [(&'a str, &'a str)], [&'a str; 3]);

fn essential(values: &[&str]) -> String {
    json!({"id_token": {"acr": {"essential": true, "values": values}}}).to_string()
}

/// What the client gets at once: the `acr` of its code, its error, or the page that the person is sent to.
async fn outcome(browser: &Browser<'_>, change: &[(&str, &str)]) -> String {
    let (place, answer) = redirected(&browser.authorize("web", change).await);
    if let Some(error) = answer.get("error") {
        return error.clone();
    }
    let Some(code) = answer.get("code") else { return place };
    let (status, tokens) = browser.idp.redeem("web", code, &[]).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    claims(&tokens["id_token"])["acr"].as_str().unwrap().to_owned()
}

on_each_database! {
    /// Every kind of request, for a session of one factor whose owner has a second one or not, and for one of two.
    async fn what_is_demanded_is_met_or_asked_for(db) {
        let idp = TestIdp::new(db).await;
        let without = idp.signed_up("alice").await;
        let (two, _, _) = idp.with_app("bob").await;
        let one = idp.signed_up("carol").await;
        // Hers is from before she had an app.
        let elsewhere = idp.browser();
        elsewhere.log_in("/login", "carol", PASSWORD).await;
        elsewhere.set_up_app().await;
        let none = ("prompt", "none");
        let (only, either, first) = (essential(&[TWO]), essential(&[TWO, ONE]), essential(&[ONE]));
        let cases: [Case; 11] = [
            (&[], [ONE, ONE, TWO]),
            (&[("acr_values", ONE)], [ONE, ONE, TWO]),
            (&[("acr_values", "urn:latchkey:acr:2fa urn:latchkey:acr:1fa")], [ONE, ONE, TWO]),
            (&[("acr_values", "urn:else")], [ONE, ONE, TWO]),
            (&[("acr_values", TWO)], [ONE, "/login/second", TWO]),
            (&[("acr_values", TWO), none], [ONE, "interaction_required", TWO]),
            (&[("claims", &only)], ["/login/second", "/login/second", TWO]),
            (&[("claims", &only), none], ["interaction_required", "interaction_required", TWO]),
            (&[("claims", &either)], [ONE, ONE, TWO]),
            (&[("claims", &first), none], [ONE, ONE, TWO]),
            (&[("claims", &essential(&["urn:else"]))], ["unmet_authentication_requirements"; 3]),
        ];
        for (change, expected) in cases {
            for (browser, expected) in [&without, &one, &two].into_iter().zip(expected) {
                assert_eq!(outcome(browser, change).await, expected, "{change:?}");
            }
        }
    }

    async fn a_log_in_of_now_is_stepped_up_without_the_password(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let elsewhere = idp.browser();
        elsewhere.log_in("/login", "alice", PASSWORD).await;
        let (phone, _) = elsewhere.set_up_app().await;
        let (_, before) = idp.redeem("web", &alice.code("web", &[]).await, &[]).await;
        let second = location(&alice.authorize("web", &[("acr_values", TWO)]).await);
        assert!(second.starts_with("/login/second?request="), "{second}");
        assert_eq!(location(&alice.get(&second).await), second, "where it waits for the code");
        let session = alice.cookies.get("latchkey_idp_session").unwrap();
        let resume = location(&alice.submit(alice.get(&second).await, &[("code", &phone.code(&idp))]).await);
        assert_ne!(alice.cookies.get("latchkey_idp_session").unwrap(), session, "more rights, another cookie");
        let (_, answer) = redirected(&alice.get(&resume).await);
        let (_, after) = idp.redeem("web", &answer["code"], &[]).await;
        let (before_claims, claims_now) = (claims(&before["id_token"]), claims(&after["id_token"]));
        assert_eq!((&claims_now["acr"], &claims_now["sid"]), (&json!(TWO), &before_claims["sid"]));
        assert_eq!(claims_now["amr"], json!(["pwd", "otp", "mfa"]));
        assert_eq!(outcome(&alice, &[("acr_values", TWO), ("prompt", "none")]).await, TWO);
        let (_, old) = idp.refresh("web", &before["refresh_token"]).await;
        assert_eq!(claims(&old["access_token"])["acr"], ONE, "what was given for one factor stays so");
    }

    async fn a_log_in_of_a_while_ago_is_done_again_in_full(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        idp.clock.advance(TimeDelta::minutes(11));
        let wanted = essential(&[TWO]);
        let login = location(&alice.authorize("web", &[("claims", &wanted)]).await);
        assert!(login.starts_with("/login?request="), "{login}");
        let resume = location(&alice.get(&login.replace("/login", "/authorize/resume")).await);
        assert!(resume.starts_with("/login?request="), "{resume}");
        let setup = location(&alice.log_in(&login, "alice", PASSWORD).await);
        assert!(setup.starts_with("/login/setup?request="), "{setup}");
    }

    /// A second factor is no log-in: what demands a new one is not met by setting one up.
    async fn a_second_factor_alone_makes_no_log_in_newer(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        idp.clock.advance(TimeDelta::minutes(5));
        let login = location(&alice.authorize("web", &[("prompt", "login")]).await);
        let setup = location(&alice.get(&login.replace("/login?", "/login/second?")).await);
        assert!(setup.starts_with("/login/setup?request="), "{setup}");
        let page = alice.get(&setup).await.text().await.unwrap();
        let phone = Phone::with_key_of(&page);
        let answer = alice.submit(alice.get(&setup).await, &[("code", &phone.code(&idp))]).await;
        assert_eq!(answer.status(), StatusCode::OK, "it is on");
        let resume = location(&alice.get(&login.replace("/login?", "/authorize/resume?")).await);
        assert!(resume.starts_with("/login?request="), "{resume}");
        idp.clock.advance(TimeDelta::minutes(6));
        assert_eq!(location(&alice.get("/account/password").await), "/login?return_to=%2Faccount%2Fpassword");
    }

    /// `max_age` is judged first: what is too old is not stepped up.
    async fn a_log_in_that_is_too_old_for_the_request_is_done_again(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        idp.clock.advance(TimeDelta::seconds(100));
        let wanted = essential(&[TWO]);
        for change in [("max_age", "99"), ("prompt", "login")] {
            let login = location(&alice.authorize("web", &[("claims", &wanted), change]).await);
            assert!(login.starts_with("/login?request="), "{change:?}: {login}");
        }
    }

    async fn discovery_says_what_there_is(db) {
        let idp = TestIdp::new(db).await;
        let metadata: Value = idp.http.get(idp.at("/.well-known/openid-configuration")).send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["acr_values_supported"], json!([ONE, TWO]));
    }
}
