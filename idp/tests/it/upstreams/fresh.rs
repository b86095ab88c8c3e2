//! Apps that want their people to prove once more who they are: so does the provider, or it does not count.

use chrono::TimeDelta;
use platform::on_each_database;
use serde_json::json;
use url::Url;

use super::{idp_and_sso, idp_with, leads_to, refused, sso::Sso, upstream};
use crate::fixture::{Browser, TestIdp, redirected};

/// Where a person is sent when `client` demands something.
async fn asked(browser: &Browser<'_>, demand: (&str, &str)) -> Url {
    let (_, waiting) = redirected(&browser.authorize("web", &[demand]).await);
    browser.sent_to("sso", &[("request", &waiting["request"])]).await
}

async fn answered(
    idp: &TestIdp,
    browser: &Browser<'_>,
    sso: &Sso,
    demand: (&str, &str),
    age: Option<i64>,
) -> Result<String, (u16, String)> {
    let auth_time = age.map(|age| idp.clock.now().timestamp() - age);
    sso.says(|saying| saying.claims = json!({"auth_time": auth_time}));
    let asked = asked(browser, demand).await;
    let page = browser.get(sso.answer(&asked).as_str()).await;
    if page.status().is_success() { Ok(leads_to(page).await) } else { Err(refused(page).await) }
}

fn value(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(have, _)| have == name).map(|(_, value)| value.into_owned())
}

on_each_database! {
    async fn what_an_app_demands_is_demanded_of_the_provider(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let browser = idp.browser();
        browser.sign_up_from(&sso).await;
        let demand = |demand| asked(&browser, demand);
        let login = demand(("prompt", "login")).await;
        assert_eq!((value(&login, "prompt").as_deref(), value(&login, "max_age").as_deref()), (Some("login"), Some("0")));
        let zero = demand(("max_age", "0")).await;
        assert_eq!((value(&zero, "prompt").as_deref(), value(&zero, "max_age").as_deref()), (Some("login"), Some("0")));
        idp.clock.advance(TimeDelta::minutes(10));
        let some = demand(("max_age", "300")).await;
        assert_eq!((value(&some, "prompt"), value(&some, "max_age").as_deref()), (None, Some("300")));
    }

    async fn a_provider_that_did_not_ask_again_is_not_believed(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let browser = idp.browser();
        browser.sign_up_from(&sso).await;
        idp.clock.advance(TimeDelta::minutes(10));
        let too_old = (403, "You have to log in again".to_owned());
        for (demand, age) in [
            (("prompt", "login"), None), (("prompt", "login"), Some(60)), (("max_age", "0"), Some(60)),
            (("max_age", "300"), None), (("max_age", "300"), Some(400)),
        ] {
            assert_eq!(answered(&idp, &browser, &sso, demand, age).await, Err(too_old.clone()), "{demand:?} {age:?}");
        }
        for (demand, age) in [(("prompt", "login"), 0), (("max_age", "300"), 290)] {
            idp.clock.advance(TimeDelta::minutes(10));
            let place = answered(&idp, &browser, &sso, demand, Some(age)).await.unwrap();
            assert!(place.starts_with("/authorize/resume"), "{demand:?}: {place}");
        }
    }

    /// GitHub never says when somebody logged in.
    async fn who_cannot_say_it_is_not_asked(db) {
        let mut github = upstream("github", "https://github.com");
        github.kind = idp::config::UpstreamKind::GitHub;
        let idp = idp_with(db, vec![github], |_| {}).await;
        let browser = idp.browser();
        let (_, waiting) = redirected(&browser.authorize("web", &[("prompt", "login")]).await);
        let page = browser.get(&format!("/login?request={}", waiting["request"])).await.text().await.unwrap();
        assert!(!page.contains("/login/upstream/"), "{page}");
        let answer = browser.post("/login/upstream/github", &[("request", &waiting["request"])]).await;
        assert_eq!(refused(answer).await, (403, "You have to log in again".to_owned()));
        let page = browser.get("/login").await.text().await.unwrap();
        assert!(page.contains("action=\"/login/upstream/github\"") && page.contains("Continue with <bdi>The github</bdi>"));
    }
}
