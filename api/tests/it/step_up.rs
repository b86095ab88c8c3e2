//! Step Up Authentication Challenge, RFC 9470.

use api::{Config, StepUp};
use platform::on_each_database;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    issuer::Issuer,
    support::{TestApi, header},
};

fn demands(config: &mut Config) {
    let one = "/api/{user_id}/tasks/{id}".to_owned();
    let delete = StepUp {
        method: Some("DELETE".to_owned()),
        path: one.clone(),
        max_age: Some(300),
        ..StepUp::default()
    };
    let acr_values = vec!["urn:a".to_owned(), "urn:b".to_owned()];
    let list = StepUp {
        method: Some("GET".to_owned()),
        path: "/api/{user_id}/tasks".to_owned(),
        max_age: Some(300),
        ..StepUp::default()
    };
    let put = StepUp { method: Some("PUT".to_owned()), path: one, acr_values, max_age: None };
    config.step_up = vec![delete, put, list];
}

impl TestApi {
    fn token_with(&self, claims: &Value) -> String {
        let mut all = self.claims();
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        self.sign(&all)
    }
}

on_each_database! {
    async fn a_route_can_demand_a_recent_log_in_or_one_of_a_kind(db) {
        let api = TestApi::with(db, Issuer::start(), demands).await;
        let now = api.clock.now().timestamp();
        let url = format!("{}/api/me/tasks/{}", api.url, uuid::Uuid::nil());
        let (recent, old) = (json!({"auth_time": now - 300, "acr": "urn:b"}), json!({"auth_time": now - 301, "acr": "urn:c"}));
        let (age, acr) = (r#", max_age="300""#, r#", acr_values="urn:a urn:b""#);
        let cases = [
            (Method::DELETE, &recent, None),
            (Method::DELETE, &old, Some(age)),
            (Method::DELETE, &json!({}), Some(age)),
            (Method::PUT, &recent, None),
            (Method::PUT, &old, Some(acr)),
            (Method::PUT, &json!({"acr": null}), Some(acr)),
            (Method::PATCH, &old, None),
            (Method::GET, &json!({}), None),
        ];
        for (method, claims, demanded) in cases {
            let request = api.http.request(method.clone(), &url).bearer_auth(api.token_with(claims));
            let answer = request.json(&json!({"title": "T", "completed": false})).send().await.unwrap();
            match demanded {
                None => assert_eq!(answer.status(), 404, "{method} {claims}: let through, and there is no such task"),
                Some(demanded) => {
                    assert_eq!(answer.status(), 401, "{method} {claims}");
                    let expected = format!(r#"{}, error="insufficient_user_authentication"{demanded}"#, api.challenge());
                    assert_eq!(header(&answer, "www-authenticate"), expected);
                }
            }
        }
        let list = format!("{}/api/me/tasks", api.url);
        for method in [Method::GET, Method::HEAD] {
            let answer = api.http.request(method.clone(), &list).bearer_auth(api.token_with(&old)).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method}");
        }
        let made = api.http.post(&list).bearer_auth(api.token_with(&old)).json(&json!({"title": "T"})).send().await.unwrap();
        assert_eq!(made.status(), 201, "other requests demand nothing");
    }

    /// Who may not do it at all is not sent to log in for it.
    async fn the_scope_is_judged_before_the_log_in(db) {
        let api = TestApi::with(db, Issuer::start(), demands).await;
        let url = format!("{}/api/me/tasks/{}", api.url, uuid::Uuid::nil());
        let token = api.token_with(&json!({"scope": "tasks:read"}));
        let answer = api.http.delete(&url).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 403);
    }
}
