use axum::http::StatusCode;
use platform::on_each_database;

use super::visitor::{EMAIL, PASSWORD, Place};

on_each_database! {
    async fn every_problem_is_said_beside_its_field(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        visitor.get("/signup").await;
        let long_name = "n".repeat(101);
        let long_password = format!("{PASSWORD} {}", "and so on ".repeat(12));
        let good = [("name", "Bob"), ("email", "bob@example.com"), ("password", PASSWORD)];
        for (field, value, id, words) in [
            ("name", "  ", "name-error", "Enter your name."),
            ("name", long_name.as_str(), "name-error", "at most 100"),
            ("name", "Bo\tb", "name-error", "cannot be shown"),
            ("email", "", "email-error", "Enter your e-mail address."),
            ("email", "bob@", "email-error", "like name@example.com"),
            ("password", "", "password-error", "Choose a password."),
            ("password", "short", "password-error", "at least 8"),
            ("password", long_password.as_str(), "password-error", "at most 128"),
            ("password", "bob@example.com", "password-error", "easy to guess"),
            ("password", "Password1", "password-error", "has leaked before"),
        ] {
            let form = good.map(|(name, fine)| (name, if name == field { value } else { fine }));
            let answer = visitor.post("/signup", &form).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field} {value:?}");
            let (_, beside) = answer.body.split_once(&format!("<p class=\"error\" id=\"{id}\">")).unwrap();
            assert!(beside.split("</p>").next().unwrap().contains(words), "{field} {value:?}: {beside}");
            assert_eq!(answer.body.matches("autofocus").count(), 1);
            assert_eq!(answer.body.matches("aria-invalid").count(), 1);
            assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("<title>Problem: "));
            assert!(!answer.body.contains(PASSWORD) && !answer.body.contains(&long_password));
        }
        assert!(visitor.session().is_none());
    }

    async fn the_strength_of_a_password_is_told(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        visitor.get("/signup").await;
        for (password, words) in [("password", "Very weak"), (PASSWORD, "strong")] {
            let form = [("name", ""), ("email", ""), ("password", password)];
            let answer = visitor.post("/password/strength", &form).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.body.to_lowercase().contains(&words.to_lowercase()), "{}", answer.body);
        }
        let form = [("name", "Bob"), ("email", "bob@example.com"), ("password", "password1")];
        let answer = visitor.post("/signup", &form).await;
        assert!(answer.body.contains("weak</span>"));
    }

    async fn an_address_makes_one_account_however_it_is_spelled(db) {
        let place = Place::new(db).await;
        place.alice().await;
        let mut visitor = place.visitor();
        visitor.get("/signup").await;
        for email in [EMAIL, "ALICE@example.COM"] {
            let form = [("name", "Mallory"), ("email", email), ("password", PASSWORD)];
            let answer = visitor.post("/signup", &form).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(answer.body.contains("This address cannot be used.") && answer.body.contains("Log in instead?"));
        }
        assert!(visitor.session().is_none());
    }

    async fn of_parallel_sign_ups_with_one_address_one_wins(db) {
        let place = Place::new(db).await;
        let mut visitor = place.visitor();
        visitor.get("/signup").await;
        let racers = (0..20).map(|_| {
            let mut racer = visitor.clone();
            tokio::spawn(async move {
                let form = [("name", "Alice"), ("email", EMAIL), ("password", PASSWORD)];
                racer.post("/signup", &form).await.status
            })
        });
        let mut won = 0;
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.unwrap() {
                StatusCode::SEE_OTHER => won += 1,
                status => assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY),
            }
        }
        assert_eq!(won, 1);
    }

    async fn where_sign_up_is_closed_nobody_makes_an_account(db) {
        let place = Place::with(db, |config| config.sign_up = false).await;
        let mut visitor = place.visitor();
        assert!(!visitor.get("/").await.body.contains("/signup"));
        assert!(!visitor.get("/login").await.body.contains("/signup"));
        let page = visitor.get("/signup").await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.body.contains("Accounts are made by the administrator"));
        let form = [("name", "Alice"), ("email", EMAIL), ("password", PASSWORD)];
        assert_eq!(visitor.post("/signup", &form).await.status, StatusCode::FORBIDDEN);
        assert!(visitor.session().is_none());
    }

    async fn one_network_cannot_make_any_number_of_accounts(db) {
        let place = Place::with(db, |config| config.throttle.per_network = 2).await;
        let mut visitor = place.visitor_from("192.0.2.7");
        visitor.get("/signup").await;
        let mut statuses = Vec::new();
        for email in ["a@example.com", "b@example.com", "c@example.com"] {
            let form = [("name", "Many"), ("email", email), ("password", PASSWORD)];
            statuses.push(visitor.post("/signup", &form).await.status.as_u16());
        }
        assert_eq!(statuses, [303, 303, 429]);
    }
}
