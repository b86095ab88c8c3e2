//! What people do with their accounts by themselves.

mod apps;
mod data;
mod deletion;
mod overview;
mod password;
mod profile;
mod sessions;

use idp::store::users::{self, User};
use platform::db::Tx;
use reqwest::Response;

use crate::fixture::{Browser, PASSWORD, TestIdp, location};

/// What a page says.
async fn text(page: Response) -> String {
    page.text().await.unwrap()
}

/// What stands beside a field that is wrong.
fn beside(page: &str, id: &str) -> String {
    let (_, rest) =
        page.split_once(&format!("id=\"{id}-error\">")).unwrap_or_else(|| panic!("no {id}-error"));
    rest.split("</p>").next().unwrap().to_owned()
}

async fn user(tx: &mut Tx, name: &str) -> User {
    users::find_by_email(tx, &format!("{name}@example.com")).await.unwrap().unwrap()
}

/// Whoever is not logged in comes back to `path` after a log-in; and, where it is sensitive, whoever logged in
/// long ago.
async fn demands_a_log_in(idp: &TestIdp, alice: &Browser<'_>, path: &str, recent: bool) {
    let place: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    let log_in = format!("/login?return_to={place}");
    assert_eq!(location(&idp.browser().get(path).await), log_in);
    assert_eq!(alice.get(path).await.status(), 200, "{path}");
    idp.clock.advance(chrono::TimeDelta::minutes(11));
    let late = alice.get(path).await;
    if !recent {
        assert_eq!(late.status(), 200, "{path}");
        return;
    }
    assert_eq!(location(&late), log_in);
    let fields = [("email", "alice@example.com"), ("password", PASSWORD), ("return_to", path)];
    assert_eq!(location(&alice.post("/login", &fields).await), path);
    assert_eq!(alice.get(path).await.status(), 200, "{path}");
}
