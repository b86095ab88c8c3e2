//! redirect_uri is compared byte for byte; what is not registered is never redirected to (RFC 9700 §4.1).

use platform::on_each_database;
use reqwest::StatusCode;

use crate::fixture::TestIdp;

/// Registered: `https://web.example/cb` and `http://127.0.0.1/cb`.
const MUTATIONS: [&str; 58] = [
    "https://web.example/cb/",
    "https://web.example/cb//",
    "https://web.example/CB",
    "https://WEB.example/cb",
    "HTTPS://web.example/cb",
    "https://web.example:443/cb",
    "https://web.example:8443/cb",
    "https://web.example./cb",
    "https://web.example/",
    "https://web.example",
    "https://web.example/cb?",
    "https://web.example/cb?x=1",
    "https://web.example/cb#",
    "https://web.example/cb#fragment",
    "https://web.example/cb/../cb",
    "https://web.example/x/../cb",
    "https://web.example/./cb",
    "https://web.example/%63b",
    "https://web.example/c%62",
    "https://web.example/cb%00",
    "https://web.example/cb%2f..",
    "https://web.example/cb%0d%0aSet-Cookie:%20a=b",
    "https://web.example/cb\r\nSet-Cookie: a=b",
    "https://web.example/cb\n",
    "https://web.example/cb\u{0}",
    "https://web.example/cb ",
    " https://web.example/cb",
    "\thttps://web.example/cb",
    "https://web.example\\/cb",
    "https:\\\\web.example\\cb",
    "https:/web.example/cb",
    "https:web.example/cb",
    "https:///web.example/cb",
    "//web.example/cb",
    "/cb",
    "cb",
    "http://web.example/cb",
    "https://web.example@evil.example/cb",
    "https://web.example:@evil.example/cb",
    "https://user@web.example/cb",
    "https://user:pass@web.example/cb",
    "https://web.example.evil.example/cb",
    "https://evil.example/web.example/cb",
    "https://evil.example/?https://web.example/cb",
    "https://evil.example/#https://web.example/cb",
    "https://evilweb.example/cb",
    "https://sub.web.example/cb",
    "https://w\u{435}b.example/cb",
    "https://xn--wb-iia.example/cb",
    "https://*.example/cb",
    "javascript:alert(1)//https://web.example/cb",
    "data:text/html,https://web.example/cb",
    "http://127.0.0.1:80@evil.example/cb",
    "http://127.0.0.1.evil.example/cb",
    "http://localhost/cb",
    "http://127.0.0.1:99999/cb",
    "http://127.0.0.1:8080/other",
    "http://[::1]/cb",
];

on_each_database! {
    async fn what_is_not_registered_is_a_page_and_never_a_redirect(db) {
        let idp = TestIdp::with(db, |config| config.clients[0].redirect_uris.push("http://127.0.0.1/cb".to_owned())).await;
        let browser = idp.signed_up("alice").await;
        for mutation in MUTATIONS {
            for change in [&[("redirect_uri", mutation)][..], &[("redirect_uri", mutation), ("prompt", "none login")]] {
                let answer = browser.authorize("web", change).await;
                assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{mutation:?}");
                assert!(answer.headers().get("location").is_none(), "{mutation:?}");
                let page = answer.text().await.unwrap();
                assert!(page.starts_with("<!doctype html>") && !page.contains("evil"), "{mutation:?}: {page}");
            }
        }
        let loopback = browser.authorize("web", &[("redirect_uri", "http://127.0.0.1:49152/cb")]).await;
        assert!(crate::fixture::location(&loopback).starts_with("http://127.0.0.1:49152/cb?code="));
    }

    async fn without_a_good_client_there_is_no_redirect(db) {
        let idp = TestIdp::new(db).await;
        let browser = idp.signed_up("alice").await;
        let uri = crate::fixture::redirect_uri("web");
        let wrong: &[&[(&str, &str)]] = &[
            &[("client_id", "")], &[("client_id", "unknown")], &[("client_id", "WEB")], &[("client_id", "web "), ],
            &[("client_id", "other")], &[("client_id", "web"), ("client_id", "web")],
            &[("redirect_uri", "")], &[("redirect_uri", &uri), ("redirect_uri", &uri)],
            &[("redirect_uri", &uri), ("redirect_uri", "https://evil.example/cb")], &[("client_id", "robot")],
        ];
        for change in wrong {
            let answer = browser.authorize("web", change).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{change:?}");
            assert!(answer.headers().get("location").is_none(), "{change:?}");
        }
    }
}
