//! `/account/profile`

use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{beside, demands_a_log_in, text, user};
use crate::fixture::{Browser, TestIdp, location};

async fn told(idp: &TestIdp, alice: &Browser<'_>) -> Value {
    let (_, tokens) = idp.redeem("web", &alice.code("web", &[]).await, &[]).await;
    idp.userinfo(&tokens["access_token"]).await.1
}

on_each_database! {
    async fn what_people_say_of_themselves_is_what_apps_are_told(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let form = [
            ("name", " Alice Liddell "), ("nickname", "Al"), ("birthdate", "1852-05-04"), ("website", "https://alice.example/"),
            ("locale", "en-GB"), ("zoneinfo", "Europe/London"), ("phone_number", "+44 20 7946 0000"),
            ("address.street_address", "Christ Church\r\nTom Tower"), ("address.locality", "Oxford"),
        ];
        assert_eq!(location(&alice.post("/account/profile", &form).await), "/account/profile");
        let page = text(alice.get("/account/profile").await).await;
        assert!(page.contains("Your profile was saved."), "{page}");
        for shown in ["value=\"Alice Liddell\"", "value=\"1852-05-04\"", "Christ Church\nTom Tower</textarea>", "value=\"Oxford\""] {
            assert!(page.contains(shown), "no {shown} in {page}");
        }
        let claims = told(&idp, &alice).await;
        for (claim, value) in [("name", "Alice Liddell"), ("nickname", "Al"), ("birthdate", "1852-05-04"), ("zoneinfo", "Europe/London")] {
            assert_eq!(claims[claim], value, "{claim}");
        }

        alice.post("/account/profile", &[("nickname", "")]).await;
        let claims = told(&idp, &alice).await;
        assert_eq!((&claims["nickname"], &claims["name"]), (&Value::Null, &json!("Alice Liddell")), "the others stay");
        demands_a_log_in(&idp, &alice, "/account/profile", false).await;
    }

    async fn each_mistake_is_said_beside_its_field_and_nothing_is_saved(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let long = "n".repeat(101);
        for (field, value, words) in [
            ("name", "  ", "Enter your name."), ("name", long.as_str(), "at most 100"), ("name", "A\u{7}", "cannot be shown"),
            ("birthdate", "4.5.1852", "Birthday must be YYYY-MM-DD"), ("website", "javascript:alert(1)", "Website must be an http"),
            ("phone_number", "555", "Phone number must be"), ("locale", "en_GB!", "Language must be"), ("zoneinfo", "Mars", "Time zone must be"),
            ("address.country", "a\nb", "Country has one line"),
        ] {
            let refused = alice.post("/account/profile", &[("given_name", "Alice"), (field, value)]).await;
            assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{field} {value:?}");
            let page = text(refused).await;
            assert!(beside(&page, &field.replace('.', "-")).contains(words), "{field} {value:?}: {page}");
            assert_eq!((page.matches("autofocus").count(), page.matches("aria-invalid").count()), (1, 1));
            assert!(page.contains("<title>Problem: ") && page.contains("role=\"alert\"") && page.contains("value=\"Alice\""));
        }
        let mut tx = idp.db.write().await.unwrap();
        let stored = user(&mut tx, "alice").await;
        assert!(stored.claims.0.is_empty() && stored.name == "alice");
    }

    async fn nobody_says_of_themselves_what_others_have_to_prove(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        for (claim, value) in [("phone_number", "+44 20 7946 0000"), ("phone_number_verified", "true"), ("address.formatted", "Oxford")] {
            idp::admin::users::set_claim(&idp.operator, "alice@example.com", claim, Some(value), idp.clock.now()).await.unwrap();
        }
        let form = [
            ("phone_number", "+44 20 7946 0000"), ("email_verified", "true"), ("email", "root@example.com"), ("sub", "x"),
            ("picture", "https://evil.example/"), ("nickname", "Al"),
        ];
        alice.post("/account/profile", &form).await;
        let mut tx = idp.db.write().await.unwrap();
        let stored = user(&mut tx, "alice").await;
        drop(tx);
        assert!(!stored.email_verified && stored.claims.0["nickname"] == "Al" && !stored.claims.0.contains_key("picture"));
        assert_eq!(stored.claims.0["phone_number_verified"], true, "the same number is as good as before");

        alice.post("/account/profile", &[("phone_number", "+44 20 7946 0001"), ("phone_number_verified", "true"), ("address.country", "UK")]).await;
        let mut tx = idp.db.write().await.unwrap();
        let stored = user(&mut tx, "alice").await;
        assert!(!stored.claims.0.contains_key("phone_number_verified"));
        assert_eq!(stored.claims.0["address"], json!({"country": "UK"}), "nothing contradicts it");
    }
}
