use chrono::TimeDelta;
use platform::on_each_database;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{TestApi, header, problem};

impl TestApi {
    async fn post_with_key(&self, token: &str, key: &str, body: &Value) -> Response {
        let request = self.http.post(format!("{}/api/me/tasks", self.url)).bearer_auth(token);
        request.header("idempotency-key", key).json(body).send().await.unwrap()
    }

    async fn count(&self) -> usize {
        self.get("/api/me/tasks?limit=200").await.json::<Vec<Value>>().await.unwrap().len()
    }
}

on_each_database! {
    async fn a_retry_gets_the_first_answer_and_makes_no_second_task(db) {
        let api = TestApi::new(db).await;
        let body = json!({"title": "once", "description": "only"});
        let first = api.post_with_key(&api.token, "key-1", &body).await;
        assert_eq!(first.status(), 201);
        let location = header(&first, "location").to_owned();
        let task: Value = first.json().await.unwrap();
        // Even after the task was changed: the answer is the one that was lost.
        let path = location.strip_prefix(&api.url).unwrap();
        api.send(reqwest::Method::PATCH, path, &json!({"completed": true})).await;
        // The same request, written another way.
        let same = json!({"description": "only", "completed": false, "title": " once "});
        for body in [&body, &same] {
            let retry = api.post_with_key(&api.token, "key-1", body).await;
            assert_eq!((retry.status().as_u16(), header(&retry, "location")), (201, &*location));
            assert_eq!(header(&retry, "etag"), "\"1\"");
            assert_eq!(retry.json::<Value>().await.unwrap(), task);
        }
        assert_eq!(api.count().await, 1);
    }

    async fn a_key_belongs_to_one_request_of_one_caller(db) {
        let api = TestApi::new(db).await;
        assert_eq!(api.post_with_key(&api.token, "key", &json!({"title": "a"})).await.status(), 201);
        let other = api.post_with_key(&api.token, "key", &json!({"title": "b"})).await;
        assert_eq!(problem(other, 422).await, ["Idempotency-Key"]);
        let bob = api.token_of("bob", "tasks:write");
        let bobs = api.post_with_key(&bob, "key", &json!({"title": "b"})).await;
        assert_eq!(bobs.status(), 201);
        assert_eq!(bobs.json::<Value>().await.unwrap()["user_id"], "bob");
        assert_eq!(api.post_with_key(&api.token, "KEY", &json!({"title": "b"})).await.status(), 201);
    }

    async fn a_refused_request_does_not_use_up_its_key(db) {
        let api = TestApi::new(db).await;
        problem(api.post_with_key(&api.token, "key", &json!({"title": ""})).await, 422).await;
        assert_eq!(api.post_with_key(&api.token, "key", &json!({"title": "a"})).await.status(), 201);
    }

    async fn of_many_requests_at_once_with_one_key_one_makes_a_task(db) {
        let api = TestApi::new(db).await;
        let body = json!({"title": "once"});
        let requests = (0..50).map(|_| api.post_with_key(&api.token, "key", &body));
        let mut ids = Vec::new();
        for response in futures_util::future::join_all(requests).await {
            assert_eq!(response.status(), 201);
            ids.push(response.json::<Value>().await.unwrap()["id"].clone());
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(api.count().await, 1);
    }

    async fn a_key_is_forgotten_after_a_day(db) {
        let api = TestApi::new(db).await;
        let body = json!({"title": "daily"});
        assert_eq!(api.post_with_key(&api.token, "key", &body).await.status(), 201);
        api.clock.advance(TimeDelta::hours(24));
        let token = api.token_of("alice", "tasks:read tasks:write");
        assert_eq!(api.post_with_key(&token, "key", &json!({"title": "another"})).await.status(), 201);
    }

    async fn a_malformed_key_is_refused(db) {
        let api = TestApi::new(db).await;
        let body = json!({"title": "t"});
        for key in ["", "ä", &"k".repeat(256)] {
            problem(api.post_with_key(&api.token, key, &body).await, 400).await;
        }
        let twice = api.request(reqwest::Method::POST, "/api/me/tasks");
        let twice = twice.header("idempotency-key", "a").header("idempotency-key", "b").json(&body);
        problem(twice.send().await.unwrap(), 400).await;
        assert_eq!(api.post_with_key(&api.token, &"k".repeat(255), &body).await.status(), 201);
    }
}
