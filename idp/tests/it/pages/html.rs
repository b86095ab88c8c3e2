//! What every page has, whatever it shows.

use axum::http::header;
use platform::on_each_database;

use super::visitor::{Answer, EMAIL, PASSWORD, Place};

fn check(what: &str, page: &Answer) {
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{what}: {policy}"
    );
    assert!(policy.contains("script-src 'nonce-") && !policy.contains("unsafe"), "{what}: {policy}");
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store", "{what}");
    assert_eq!(page.header(header::X_FRAME_OPTIONS), "DENY", "{what}");
    assert_eq!(page.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{what}");
    assert_eq!(page.header(header::REFERRER_POLICY), "same-origin", "{what}");
    let body = &page.body;
    assert!(body.contains("<html lang=\"en\">"), "{what}");
    for once in ["<title>", "<h1>", "<main ", "rel=\"stylesheet\""] {
        assert_eq!(body.matches(once).count(), 1, "{what}: {once}");
    }
    let tags = body.split('<').filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag);
    for tag in tags {
        assert!(
            !tag.contains(" style=") && !tag.contains(" on"),
            "{what} has inline style or script: <{tag}>"
        );
    }
    assert_eq!(body.matches("<script").count(), body.matches("nonce=\"").count(), "{what}");
    assert!(body.matches("<script").count() <= 1, "{what}");
    assert!(body.len() < 8_000, "{what} has {} bytes", body.len());
}

on_each_database! {
    async fn every_page_is_safe_small_and_says_where_one_is(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        for path in ["/", "/login", "/signup", "/nowhere", "/consent?request=x", "/login?request=x"] {
            check(path, &visitor.get(path).await);
        }
        check("a failed log-in", &visitor.log_in(EMAIL, PASSWORD).await);
        check("a refused sign-up", &visitor.post("/signup", &[("name", ""), ("email", ""), ("password", "")]).await);
        let mut alice = place.alice().await;
        let pages = [
            "", "/profile", "/security", "/password", "/passkeys", "/passkeys/add", "/sessions", "/apps", "/data", "/data/delete",
        ];
        for page in pages {
            let path = format!("/account{page}");
            check(&path, &alice.get(&path).await);
        }
        check("a refused profile", &alice.post("/account/profile", &[("name", "")]).await);
        check("a refused password", &alice.post("/account/password", &[("current", ""), ("password", "")]).await);
        check("/device", &alice.get("/device?user_code=WDJB-MJHT").await);
        check("a refused code", &alice.post("/device", &[("code", "WDJB-MJHT")]).await);
        check("a deleted account", &alice.post("/account/data/delete", &[]).await);
        alice.log_in(EMAIL, PASSWORD).await;
        check("/login/restore", &alice.get("/login/restore").await);
    }

    async fn what_people_typed_stays_text(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        visitor.get("/signup").await;
        let name = "<script>alert(1)</script>\"><img src=x>";
        let form = [("name", name), ("email", "\"><b>@example.com"), ("password", PASSWORD)];
        let refused = visitor.post("/signup", &form).await;
        let form = [("name", name), ("email", EMAIL), ("password", PASSWORD)];
        visitor.post("/signup", &form).await;
        for page in [refused, visitor.get("/account").await] {
            assert!(!page.body.contains("<script>alert") && !page.body.contains("<img") && !page.body.contains("<b>"));
            assert!(page.body.contains("alert(1)"));
        }
    }

    async fn static_files_are_kept_for_ever_under_their_hash(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        let page = visitor.get("/login").await.body;
        let mut whole = page.len();
        for (attribute, content_type) in [("href=\"/static/", "text/css"), ("src=\"/static/", "text/javascript")] {
            let (_, rest) = page.split_once(attribute).unwrap();
            let path = format!("/static/{}", rest.split('"').next().unwrap());
            let file = visitor.get(&path).await;
            assert!(file.header(header::CONTENT_TYPE).starts_with(content_type), "{path}");
            assert!(file.header(header::CACHE_CONTROL).contains("immutable"), "{path}");
            whole += file.body.len();
        }
        assert!(whole < 30_000, "a cold page has {whole} bytes");
    }
}
