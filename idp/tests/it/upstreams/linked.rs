//! The account's own page of linked log-ins.

use chrono::TimeDelta;
use futures_util::future::join_all;
use platform::on_each_database;
use reqwest::{Response, StatusCode};
use serde_json::json;

use super::{idp_and_sso, idp_with, leads_to, refused, sso::Sso, upstream};
use crate::fixture::{Browser, location};

/// Where the page of linked log-ins leads that is asked to link another.
async fn link(browser: &Browser<'_>, sso: &Sso) -> Response {
    let page = browser.post("/account/linked/add", &[("upstream", &sso.id)]).await;
    let asked = leads_to(page).await.parse().unwrap();
    browser.get(sso.answer(&asked).as_str()).await
}

/// Links, and says so.
async fn linked(browser: &Browser<'_>, sso: &Sso) -> Response {
    let question = leads_to(link(browser, sso).await).await;
    assert!(question.starts_with("/account/linked/confirm?arrival="), "{question}");
    browser.submit(browser.get(&question).await, &[("decision", "allow")]).await
}

fn unlink<'a>(sso: &'a Sso, subject: &'a str) -> [(&'a str, &'a str); 2] {
    [("issuer", &sso.url), ("subject", subject)]
}

on_each_database! {
    async fn a_log_in_is_linked_and_unlinked(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let bob = idp.signed_up("bob").await;
        assert_eq!(location(&linked(&bob, &sso).await), "/account/linked");
        let html = bob.get("/account/linked").await.text().await.unwrap();
        assert!(html.contains("The sso") && html.contains("alice@sso.example"), "{html}");
        let security = bob.get("/account/security").await.text().await.unwrap();
        assert!(security.contains("href=\"/account/linked\""), "{security}");
        let elsewhere = idp.browser();
        assert_eq!(leads_to(elsewhere.come_from(&sso).await).await, "/account");
        assert_eq!(elsewhere.who().await.as_deref(), Some("bob@example.com"), "whatever address it has there");
        assert_eq!(leads_to(link(&bob, &sso).await).await, "/account/linked", "there is nothing more to link");

        let gone = bob.post("/account/linked/remove", &unlink(&sso, "alice-1")).await;
        assert_eq!(location(&gone), "/account/linked");
        let stranger = idp.browser();
        assert!(leads_to(stranger.come_from(&sso).await).await.starts_with("/signup/upstream"));
    }

    async fn an_identity_belongs_to_one_account(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let bob = idp.signed_up("bob").await;
        linked(&bob, &sso).await;
        let eve = idp.signed_up("eve").await;
        assert_eq!(refused(link(&eve, &sso).await).await, (409, "This is linked already".to_owned()));
        let gone = eve.post("/account/linked/remove", &unlink(&sso, "alice-1")).await;
        assert_eq!(gone.status(), StatusCode::NOT_FOUND, "another's");
        let elsewhere = idp.browser();
        elsewhere.come_from(&sso).await;
        assert_eq!(elsewhere.who().await.as_deref(), Some("bob@example.com"));
    }

    /// Both were asked to prove it when nobody's it was; the second to say so is too late.
    async fn two_who_link_one_identity_do_not_both_get_it(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let (bob, eve) = (idp.signed_up("bob").await, idp.signed_up("eve").await);
        let (to_bob, to_eve) = (leads_to(link(&bob, &sso).await).await, leads_to(link(&eve, &sso).await).await);
        assert_eq!(eve.get(&to_bob).await.status(), StatusCode::BAD_REQUEST, "another's question");
        let question = bob.get(&to_bob).await;
        assert_eq!(bob.submit(question, &[("decision", "allow")]).await.status(), StatusCode::SEE_OTHER);
        let question = eve.get(&to_eve).await;
        let late = eve.submit(question, &[("decision", "allow")]).await;
        assert_eq!(refused(late).await, (409, "This is linked already".to_owned()));
    }

    async fn the_last_way_in_stays(db) {
        let (one, two) = (Sso::new("one"), Sso::new("two"));
        let idp = idp_with(db, vec![upstream("one", &one.url), upstream("two", &two.url)], |_| {}).await;
        let alice = idp.browser();
        alice.sign_up_from(&one).await;
        let refused_last = alice.post("/account/linked/remove", &unlink(&one, "alice-1")).await;
        assert_eq!(refused_last.status(), StatusCode::UNPROCESSABLE_ENTITY);
        two.says(|saying| saying.claims = json!({"sub": "alice-2"}));
        linked(&alice, &two).await;

        let (token, cookie) = (alice.form_token().await, alice.cookies.header());
        let remove = |sso: &Sso, subject: &str| {
            let form = [("issuer", sso.url.as_str()), ("subject", subject), ("form_token", &token)];
            idp.http.post(idp.at("/account/linked/remove")).header("cookie", &cookie).form(&form).send()
        };
        let both = join_all([remove(&one, "alice-1"), remove(&two, "alice-2")]).await;
        let gone = both.iter().filter(|answer| answer.as_ref().unwrap().status() == StatusCode::SEE_OTHER);
        assert_eq!(gone.count(), 1, "of two at once one goes");
    }

    async fn linking_and_unlinking_need_a_recent_log_in(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let bob = idp.signed_up("bob").await;
        linked(&bob, &sso).await;
        let question = leads_to({ sso.says(|saying| saying.claims = json!({"sub": "bob-2"})); link(&bob, &sso).await }).await;
        idp.clock.advance(TimeDelta::minutes(11));
        for (path, form) in [
            ("/account/linked/add", vec![("upstream", "sso")]),
            ("/account/linked/remove", unlink(&sso, "alice-1").to_vec()),
            ("/account/linked/confirm", vec![("arrival", question.split_once('=').unwrap().1), ("decision", "allow")]),
        ] {
            let answer = bob.post(path, &form).await;
            assert!(location(&answer).starts_with("/login?"), "{path}");
        }
    }

    async fn no_other_site_links_or_unlinks(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let bob = idp.signed_up("bob").await;
        linked(&bob, &sso).await;
        let forms = [
            ("/account/linked/add", vec![("upstream", "sso")]),
            ("/account/linked/remove", unlink(&sso, "alice-1").to_vec()),
            ("/account/linked/confirm", vec![("arrival", "x"), ("decision", "allow")]),
            ("/signup/upstream", vec![("arrival", "x"), ("name", "x")]),
        ];
        for (path, form) in forms {
            let bare = idp.http.post(idp.at(path)).form(&form);
            assert_eq!(bob.send(bare).await.status(), StatusCode::FORBIDDEN, "{path}");
        }
    }

    async fn who_has_logged_out_meanwhile_links_nothing(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let bob = idp.signed_up("bob").await;
        let page = bob.post("/account/linked/add", &[("upstream", "sso")]).await;
        let asked = leads_to(page).await.parse().unwrap();
        bob.post("/logout/confirm", &[]).await;
        bob.sign_up("/signup", "eve").await;
        let answer = bob.get(sso.answer(&asked).as_str()).await;
        assert_eq!(refused(answer).await, (403, "Nothing was linked".to_owned()));
    }
}
