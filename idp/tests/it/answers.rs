//! What every answer of the authorization endpoint brings, by whatever way: `state` as it was sent, and `iss` (RFC 9207).

use std::collections::BTreeMap;

use platform::on_each_database;
use reqwest::{Response, StatusCode};
use url::Url;

use crate::fixture::{Browser, TestIdp, changed, location, redirect_uri, redirected};

/// The fields that a form_post page sends on, and where to. It does so by itself or by its button.
async fn posted(response: Response) -> (String, BTreeMap<String, String>) {
    assert_eq!(response.status(), StatusCode::OK, "not a page");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let html = response.text().await.unwrap();
    let (_, form) = html.split_once("<form method=\"post\" action=\"").expect("a form");
    let (form, after) = form.split_once("</form>").unwrap();
    assert!(form.contains("<button"), "without scripts there is a button");
    let (_, nonce) = after.split_once("<script nonce=\"").expect("a script");
    let nonce = nonce.split('"').next().unwrap();
    assert!(policy.contains(&format!("script-src 'nonce-{nonce}'")), "{policy}");
    let text = |text: &str| {
        let marks = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
        marks.iter().fold(text.to_owned(), |text, (mark, character)| text.replace(mark, character))
    };
    let mut fields = BTreeMap::new();
    for field in form.split("<input type=\"hidden\" name=\"").skip(1) {
        let (name, rest) = field.split_once("\" value=\"").unwrap();
        let value = rest.split('"').next().unwrap();
        assert!(fields.insert(text(name), text(value)).is_none(), "{name} is there once");
    }
    (text(form.split('"').next().unwrap()), fields)
}

/// What `web` gets in one of both ways.
async fn received(response: Response, mode: &str) -> BTreeMap<String, String> {
    let (place, parameters) =
        if mode == "form_post" { posted(response).await } else { redirected(&response) };
    assert!([redirect_uri("web"), redirect_uri("shop")].contains(&place), "{place}");
    parameters
}

/// Exactly these parameters, and none that describes.
fn check(mode: &str, parameters: &BTreeMap<String, String>, idp: &TestIdp, state: &str, error: Option<&str>) {
    let names: Vec<&str> = parameters.keys().map(String::as_str).collect();
    let first = if error.is_some() { "error" } else { "code" };
    assert_eq!(names, [first, "iss", "state"], "{mode} {error:?}");
    assert_eq!((&parameters["iss"], parameters["state"].as_str()), (&idp.url, state), "{mode} {error:?}");
    assert_eq!(parameters.get("error").map(String::as_str), error, "{mode}");
}

/// All that RFC 6749 lets a state hold, and more than anybody sends.
fn state() -> String {
    let printable: String = (' '..='~').collect();
    format!("{}-._~{printable}\u{e9}\u{1f511}", "Az09-._~".repeat(64))
}

async fn cancelled(browser: &Browser<'_>, change: &[(&str, &str)]) -> Response {
    let login = location(&browser.authorize("web", change).await);
    let (_, handle) = login.split_once('=').unwrap();
    browser.post("/authorize/cancel", &[("request", handle)]).await
}

on_each_database! {
    async fn state_and_issuer_are_in_every_answer_byte_for_byte(db) {
        let idp = TestIdp::new(db).await;
        let (nobody, state) = (idp.browser(), state());
        for (mode, name) in [("query", "alice"), ("form_post", "bob")] {
            let person = idp.signed_up(name).await;
            let with = |more: &[(&'static str, &'static str)]| {
                [&[("response_mode", mode), ("state", state.as_str())], more].concat()
            };
            let good = received(person.authorize("web", &with(&[])).await, mode).await;
            check(mode, &good, &idp, &state, None);

            let wrong = [
                ("response_type", "", "invalid_request"),
                ("response_type", "token", "unsupported_response_type"),
                ("scope", "unknown", "invalid_scope"),
                ("prompt", "none login", "invalid_request"),
                ("request_uri", "https://web.example/r", "request_uri_not_supported"),
                ("request", "e30.e30.", "invalid_request_object"),
                ("claims", "x", "invalid_request"),
            ];
            for (name, value, error) in wrong {
                let refused = received(person.authorize("web", &with(&[(name, value)])).await, mode).await;
                check(mode, &refused, &idp, &state, Some(error));
            }
            let silent = received(nobody.authorize("web", &with(&[("prompt", "none")])).await, mode).await;
            check(mode, &silent, &idp, &state, Some("login_required"));
            let unasked = received(person.authorize("shop", &with(&[("prompt", "none")])).await, mode).await;
            check(mode, &unasked, &idp, &state, Some("consent_required"));
            let cancelled = received(cancelled(&nobody, &with(&[])).await, mode).await;
            check(mode, &cancelled, &idp, &state, Some("access_denied"));
            let consent = person.get(&location(&person.authorize("shop", &with(&[])).await)).await;
            let denied = received(person.submit(consent, &[("decision", "deny")]).await, mode).await;
            check(mode, &denied, &idp, &state, Some("access_denied"));
            let consent = person.get(&location(&person.authorize("shop", &with(&[("prompt", "consent")])).await)).await;
            let allowed = received(person.submit(consent, &[("decision", "allow")]).await, mode).await;
            check(mode, &allowed, &idp, &state, None);
        }
    }

    async fn what_was_not_sent_does_not_come_back(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let names = |response: &Response| redirected(response).1.into_keys().collect::<Vec<_>>();
        assert_eq!(names(&browser.authorize("web", &[("state", "")]).await), ["code", "iss"]);
        // Which of two would be meant?
        assert_eq!(names(&browser.authorize("web", &[("state", "a"), ("state", "b")]).await), ["error", "iss"]);
    }

    async fn parameters_come_in_any_order_in_the_query_or_in_a_form(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let (redirect_uri, state) = (redirect_uri("web"), state());
        let mut parameters = vec![
            ("unknown", "1"), ("state", state.as_str()), ("scope", "openid"), ("redirect_uri", &redirect_uri),
            ("client_id", "web"), ("response_type", "code"),
        ];
        for _ in 0..parameters.len() {
            parameters.rotate_left(1);
            let url = Url::parse_with_params(&idp.at("/authorize"), &parameters).unwrap();
            let by_query = browser.get(url.as_str()).await;
            let by_form = browser.send(idp.http.post(idp.at("/authorize")).form(&parameters)).await;
            for answer in [by_query, by_form] {
                check("query", &redirected(&answer).1, &idp, &state, None);
            }
        }
        let twice = changed(&parameters, &[("unknown", "1"), ("unknown", "2")]);
        let url = Url::parse_with_params(&idp.at("/authorize"), &twice).unwrap();
        check("query", &redirected(&browser.get(url.as_str()).await).1, &idp, &state, Some("invalid_request"));
    }

    /// A post that comes without cookies is sent on by the query: nothing that is refused may be lost on the way.
    async fn a_malformed_post_without_cookies_is_refused_at_once(db) {
        let idp = TestIdp::new(db).await;
        let good = format!("response_type=code&client_id=web&redirect_uri={}&scope=openid", redirect_uri("web"));
        let many: String = (0..100).map(|index| format!("&p{index}=x")).collect();
        for malformed in ["&state=%FF", "&nonce=%00", "&nonce=a&nonce=b", &many] {
            let post = idp.http.post(idp.at("/authorize")).body(format!("{good}{malformed}"));
            let post = post.header("content-type", "application/x-www-form-urlencoded");
            let answer = post.header("sec-fetch-site", "cross-site").send().await.unwrap();
            assert!(answer.headers().get("set-cookie").is_none());
            let (place, parameters) = redirected(&answer);
            assert_eq!((place, parameters["error"].as_str()), (redirect_uri("web"), "invalid_request"), "{malformed}");
            let logout = idp.http.post(idp.at("/logout")).body(format!("client_id=web{malformed}"));
            let logout = logout.header("content-type", "application/x-www-form-urlencoded");
            assert_eq!(logout.send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{malformed}");
        }
    }
}
