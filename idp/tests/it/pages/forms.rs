//! Forms are taken from our own pages only, in the browser that they were shown in.

use axum::http::{StatusCode, header};
use platform::on_each_database;

use super::visitor::{EMAIL, PASSWORD, Place};

const FORM: [(&str, &str); 3] = [("name", "Alice"), ("email", EMAIL), ("password", PASSWORD)];
const PATHS: &[&str] = &[
    "/login",
    "/login/passkey",
    "/login/passkey/options",
    "/login/restore",
    "/login/second",
    "/login/second/passkey",
    "/login/second/passkey/options",
    "/login/setup",
    "/account/passkeys/add",
    "/account/passkeys/add/options",
    "/account/profile",
    "/account/recovery-codes",
    "/account/sessions/end",
    "/account/totp",
    "/account/totp/off",
    "/signup",
    "/signup/confirm",
    "/password/strength",
    "/forgot",
    "/reset",
    "/email/confirm",
    "/email/take-back",
    "/consent",
    "/authorize/cancel",
    "/account/password",
    "/account/email",
    "/account/email/send",
    "/account/email/confirm",
    "/account/sessions/end-others",
    "/account/data/delete",
];

on_each_database! {
    async fn a_form_from_anywhere_else_is_refused(db) {
        let place = Place::new(db).await;
        place.alice().await;
        let mut visitor = place.visitor();
        visitor.get("/login").await;
        let mut other = place.visitor();
        other.get("/login").await;
        let (token, others) = (visitor.form_token.clone(), other.form_token.clone());

        for path in PATHS {
            for (name, value) in [
                ("origin", "https://evil.example"),
                ("origin", "null"),
                ("origin", ""),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-site", "none"),
            ] {
                let form = [&[("form_token", token.as_str())], &FORM[..]].concat();
                let request = visitor.request(path).header(name, value).form(&form);
                let answer = visitor.send(request).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {name}: {value}");
            }
            let tokens: [&[&str]; 5] = [&[], &[""], &["x"], &[&others], &[&token, &token]];
            for tokens in tokens {
                let tokens = tokens.iter().map(|token| ("form_token", *token));
                let form: Vec<_> = tokens.chain(FORM).collect();
                let request = visitor.request(path).form(&form);
                let answer = visitor.send(request).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {form:?}");
                assert!(answer.body.contains("This form has expired"));
            }
            let mut stranger = place.visitor();
            stranger.form_token = token.clone();
            assert_eq!(stranger.post(path, &FORM).await.status, StatusCode::FORBIDDEN, "{path} without the cookie");
        }
        assert!(visitor.session().is_none());
        let request = visitor.request("/login").header("sec-fetch-site", "same-origin");
        let origin = place.config.issuer.clone();
        let form = [&[("form_token", token.as_str())], &FORM[..]].concat();
        let answer = visitor.send(request.header(header::ORIGIN, origin).form(&form)).await;
        assert_eq!(answer.location(), "/account");
    }

    async fn what_is_no_form_of_ours_is_refused_as_a_page(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        visitor.get("/login").await;
        let token = visitor.form_token.clone();
        let json = visitor.request("/login").header("content-type", "application/json").body("{}");
        let huge = visitor.request("/login").form(&[("form_token", &token), ("email", &"x".repeat(70_000))]);
        let partial = visitor.request("/login").form(&[("form_token", token.as_str()), ("email", EMAIL)]);
        let twice = visitor.request("/login").form(&[
            ("form_token", token.as_str()), ("email", EMAIL), ("email", "b@example.com"), ("password", PASSWORD),
        ]);
        for (request, status) in [(json, 400), (huge, 413), (partial, 400), (twice, 400)] {
            let answer = visitor.send(request).await;
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
            assert!(answer.header(header::CONTENT_TYPE).starts_with("text/html"));
        }
    }
}
