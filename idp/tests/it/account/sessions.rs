//! `/account/sessions`

use chrono::TimeDelta;
use idp::store::sessions;
use platform::on_each_database;
use reqwest::{Response, StatusCode, header};

use super::{demands_a_log_in, text, user};
use crate::fixture::{Browser, PASSWORD, TestIdp, location, refused};

const PATH: &str = "/account/sessions";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36";

/// Alice, in another browser.
async fn phone(idp: &TestIdp) -> Browser<'_> {
    let phone = idp.browser();
    let token = phone.form_token().await;
    let form = [("form_token", token.as_str()), ("email", "alice@example.com"), ("password", PASSWORD)];
    let request = idp.http.post(idp.at("/login")).header(header::USER_AGENT, ANDROID).form(&form);
    assert_eq!(location(&from(&phone, request, "198.51.100.7").await), "/account");
    phone
}

async fn from(browser: &Browser<'_>, request: reqwest::RequestBuilder, address: &str) -> Response {
    browser.send(request.header("x-forwarded-for", address)).await
}

/// The session that a page offers to end.
fn offered(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("name=\"id\" value=\"")?;
    rest.split('"').next().map(str::to_owned)
}

async fn with_proxy(db: platform::testing::TestDb) -> TestIdp {
    TestIdp::with(db, |config| config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]).await
}

on_each_database! {
    async fn people_see_where_they_are_logged_in(db) {
        let idp = with_proxy(db).await;
        let alice = idp.signed_up("alice").await;
        let page = text(alice.get(PATH).await).await;
        assert!(page.contains("A browser that we do not know") && page.contains("This browser") && offered(&page).is_none());
        assert!(!page.contains("end-others"));

        let phone = phone(&idp).await;
        idp.clock.advance(TimeDelta::hours(2));
        let page = text(alice.get(PATH).await).await;
        let (mine, other) = page.split_once("Chrome on Android, mobile").unwrap();
        assert!(mine.contains("This browser") && mine.contains("In use now") && !other.contains("This browser"));
        assert!(other.contains("2 hours ago</time> from 198.51.100.7") && other.contains("end-others"), "{other}");

        from(&phone, idp.http.get(idp.at("/account")), "203.0.113.9").await;
        let page = text(alice.get(PATH).await).await;
        assert!(page.contains("just now</time> from 203.0.113.9") && !page.contains("198.51.100.7"), "where it was used last: {page}");
        demands_a_log_in(&idp, &alice, PATH, false).await;
    }

    async fn one_device_is_logged_out_from_another(db) {
        let idp = with_proxy(db).await;
        let alice = idp.signed_up("alice").await;
        let phone = phone(&idp).await;
        let code = phone.code("web", &[]).await;
        let (_, tokens) = idp.redeem("web", &code, &[]).await;
        let id = offered(&text(alice.get(PATH).await).await).unwrap();

        let bob = idp.signed_up("bob").await;
        assert_eq!(bob.post("/account/sessions/end", &[("id", &id)]).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(phone.get("/account").await.status(), StatusCode::OK, "it is not his");
        assert_eq!(bob.post("/account/sessions/end", &[("id", "x")]).await.status(), StatusCode::BAD_REQUEST);

        assert_eq!(location(&alice.post("/account/sessions/end", &[("id", &id)]).await), PATH);
        let page = text(alice.get(PATH).await).await;
        assert!(page.contains("That device was logged out.") && offered(&page).is_none());
        assert!(location(&phone.get("/account").await).starts_with("/login"));
        assert_eq!(idp.refresh("web", &tokens["refresh_token"]).await, refused("invalid_grant"));
        let again = alice.post("/account/sessions/end", &[("id", &id)]).await;
        assert_eq!(again.status(), StatusCode::NOT_FOUND, "it has ended");
    }

    async fn all_other_devices_are_logged_out_at_once(db) {
        let idp = with_proxy(db).await;
        let (alice, bob) = (idp.signed_up("alice").await, idp.signed_up("bob").await);
        let phones = [phone(&idp).await, phone(&idp).await];
        assert_eq!(location(&alice.post("/account/sessions/end-others", &[]).await), PATH);
        for phone in phones {
            assert!(location(&phone.get("/account").await).starts_with("/login"));
        }
        assert_eq!(alice.get(PATH).await.status(), StatusCode::OK);
        assert_eq!(bob.get(PATH).await.status(), StatusCode::OK, "nobody else is");
    }

    async fn what_has_ended_or_is_idle_is_not_shown(db) {
        let idp = with_proxy(db).await;
        let alice = idp.signed_up("alice").await;
        phone(&idp).await.post("/logout/confirm", &[]).await;
        let _idle = phone(&idp).await;
        idp.clock.advance(TimeDelta::days(5));
        alice.get("/account").await;
        idp.clock.advance(TimeDelta::days(3));
        let page = text(alice.get(PATH).await).await;
        assert!(offered(&page).is_none(), "{page}");
        let mut tx = idp.db.write().await.unwrap();
        let id = user(&mut tx, "alice").await.id;
        let moment = idp::store::grants::Moment { now: idp.clock.now(), seen_after: idp.clock.now() - TimeDelta::days(7) };
        assert_eq!(sessions::list_live(&mut tx, id, moment).await.unwrap().len(), 1);
    }
}
