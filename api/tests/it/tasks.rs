use chrono::TimeDelta;
use platform::on_each_database;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestApi, header, problem};

on_each_database! {
    async fn a_task_is_created_read_replaced_changed_completed_and_deleted(db) {
        let api = TestApi::new(db).await;
        let body = json!({"title": "  Water the plants ", "description": "The fern, too"});
        let response = api.send(Method::POST, "/api/me/tasks", &body).await;
        assert_eq!(response.status(), 201);
        let location = header(&response, "location").to_owned();
        let task: Value = response.json().await.unwrap();
        assert_eq!(task["title"], "Water the plants");
        assert_eq!(task["description"], "The fern, too");
        assert_eq!(task["completed"], false);
        assert_eq!(task["user_id"], "alice");
        assert_eq!(task["created_at"], task["updated_at"]);
        assert_eq!(task.as_object().unwrap().len(), 7);

        let path = location.strip_prefix(&api.url).unwrap();
        let read: Value = api.get(path).await.json().await.unwrap();
        assert_eq!(read, task);
        let by_sub: Value = api.get(&path.replace("/me/", "/alice/")).await.json().await.unwrap();
        assert_eq!(by_sub, task);

        api.clock.advance(TimeDelta::seconds(1));
        // PUT: what is left out gets its default.
        let put = api.send(Method::PUT, path, &json!({"title": "Water"})).await;
        let put: Value = put.json().await.unwrap();
        assert_eq!((&put["title"], &put["description"]), (&json!("Water"), &Value::Null));
        assert_eq!(put["created_at"], task["created_at"]);
        assert_ne!(put["updated_at"], task["updated_at"]);

        // PATCH: what is left out stays, null removes.
        let api = &api;
        let patch = |body: Value| async move { api.send(Method::PATCH, path, &body).await.json::<Value>().await.unwrap() };
        let patched = patch(json!({"description": "All", "completed": true})).await;
        assert_eq!((&patched["title"], &patched["description"]), (&json!("Water"), &json!("All")));
        assert_eq!(patched["completed"], true);
        let patched = patch(json!({"description": null})).await;
        assert_eq!((&patched["description"], &patched["completed"]), (&Value::Null, &json!(true)));

        let reopened = api.send(Method::PATCH, &format!("{path}/complete"), &json!({"completed": false})).await;
        assert_eq!(reopened.json::<Value>().await.unwrap()["completed"], false);

        let deleted = api.request(Method::DELETE, path).send().await.unwrap();
        assert_eq!(deleted.status(), 204);
        problem(api.get(path).await, 404).await;
        problem(api.request(Method::DELETE, path).send().await.unwrap(), 404).await;
    }

    async fn every_wrong_field_is_told_at_once(db) {
        let api = TestApi::new(db).await;
        let long = "ä".repeat(256);
        let wrong: [(Value, &[&str]); 12] = [
            (json!({}), &["title"]),
            (json!({"title": null}), &["title"]),
            (json!({"title": "   "}), &["title"]),
            (json!({"title": long}), &["title"]),
            (json!({"title": 7, "description": [], "completed": "yes"}), &["title", "description", "completed"]),
            (json!({"title": "a", "completed": null}), &["completed"]),
            (json!({"title": "a", "description": "d".repeat(1025)}), &["description"]),
            (json!({"title": "a\0b"}), &["title"]),
            (json!({"title": "a", "description": "\0"}), &["description"]),
            (json!({"title": "a", "user_id": "bob"}), &["user_id"]),
            (json!({"title": "a", "id": "0198c5b0-6c2e-7d3a-9a53-3f1d2c4b5a69"}), &["id"]),
            (json!({"title": "", "extra": 1, "created_at": "now"}), &["title", "created_at", "extra"]),
        ];
        let task = api.create(json!({"title": "t"})).await;
        let path = format!("/api/me/tasks/{}", task["id"].as_str().unwrap());
        for (body, fields) in wrong {
            assert_eq!(problem(api.send(Method::POST, "/api/me/tasks", &body).await, 422).await, fields, "{body}");
            assert_eq!(problem(api.send(Method::PUT, &path, &body).await, 422).await, fields, "{body}");
            if body != json!({}) {
                assert_eq!(problem(api.send(Method::PATCH, &path, &body).await, 422).await, fields, "{body}");
            }
        }
        for body in [json!({}), json!({"completed": 1}), json!({"completed": null})] {
            let response = api.send(Method::PATCH, &format!("{path}/complete"), &body).await;
            assert_eq!(problem(response, 422).await, ["completed"]);
        }
        assert_eq!(api.get(&path).await.json::<Value>().await.unwrap(), task);

        // The limits themselves are good; characters count, not bytes.
        api.create(json!({"title": "ä".repeat(255), "description": "😀".repeat(1024), "completed": true})).await;
        api.create(json!({"title": "t", "description": ""})).await;
    }

    async fn a_body_that_is_not_what_it_should_be_is_refused_with_the_right_status(db) {
        let api = TestApi::new(db).await;
        let post = |media_type: &'static str, body: String| {
            api.request(Method::POST, "/api/me/tasks").header("content-type", media_type).body(body).send()
        };
        problem(post("application/json", "{\"title\": ".into()).await.unwrap(), 400).await;
        problem(post("application/json", String::new()).await.unwrap(), 400).await;
        problem(post("application/json", "{\"title\": \"\\ud800\"}".into()).await.unwrap(), 400).await;
        problem(post("application/json", format!("{{\"title\": {}", "[".repeat(10_000))).await.unwrap(), 400).await;
        problem(post("application/json", "[]".into()).await.unwrap(), 422).await;
        problem(post("application/json", "\"title\"".into()).await.unwrap(), 422).await;
        let twice = post("application/json", r#"{"title": "a", "title": "b"}"#.into()).await.unwrap();
        assert_eq!(problem(twice, 422).await, ["title"]);
        problem(post("text/plain", r#"{"title": "a"}"#.into()).await.unwrap(), 415).await;
        problem(post("application/x-www-form-urlencoded", "title=a".into()).await.unwrap(), 415).await;
        problem(post("application/json", format!(r#"{{"title": "{}"}}"#, "a".repeat(70_000))).await.unwrap(), 413).await;
        let charset = post("Application/JSON; charset=utf-8", r#"{"title": "a"}"#.into()).await.unwrap();
        assert_eq!(charset.status(), StatusCode::CREATED);
    }

    async fn unknown_paths_and_methods_are_problems_too(db) {
        let api = TestApi::new(db).await;
        problem(api.get("/api/nothing").await, 404).await;
        problem(api.get("/").await, 404).await;
        problem(api.get("/api/me/tasks/not-an-id").await, 404).await;
        problem(api.get("/api/me/tasks/0198c5b0-6c2e-7d3a-9a53-3f1d2c4b5a69").await, 404).await;
        let response = api.request(Method::DELETE, "/api/me/tasks").send().await.unwrap();
        let allow = header(&response, "allow").to_owned();
        assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
        problem(response, 405).await;
    }

    async fn nobody_reaches_somebody_elses_tasks(db) {
        let api = TestApi::new(db).await;
        let task = api.create(json!({"title": "alice's"})).await;
        let id = task["id"].as_str().unwrap();
        let bob = api.token_of("bob", "tasks:read tasks:write");
        let body = json!({"title": "bob's", "completed": true});
        let complete = json!({"completed": true});
        let as_bob = |method: Method, path: String, body: Option<Value>| {
            let request = api.http.request(method, format!("{}{path}", api.url)).bearer_auth(&bob);
            async move {
                match body {
                    Some(body) => request.json(&body).send().await.unwrap(),
                    None => request.send().await.unwrap(),
                }
            }
        };
        for (list, status) in [("alice", 403), ("me", 404), ("bob", 404), ("ALICE", 403), ("%61lice", 403)] {
            let one = format!("/api/{list}/tasks/{id}");
            problem(as_bob(Method::GET, one.clone(), None).await, status).await;
            problem(as_bob(Method::PUT, one.clone(), Some(body.clone())).await, status).await;
            problem(as_bob(Method::PATCH, one.clone(), Some(body.clone())).await, status).await;
            problem(as_bob(Method::PATCH, format!("{one}/complete"), Some(complete.clone())).await, status).await;
            problem(as_bob(Method::DELETE, one, None).await, status).await;
        }
        problem(as_bob(Method::GET, "/api/alice/tasks".into(), None).await, 403).await;
        problem(as_bob(Method::POST, "/api/alice/tasks".into(), Some(body.clone())).await, 403).await;
        let bobs: Value = as_bob(Method::GET, "/api/me/tasks".into(), None).await.json().await.unwrap();
        assert_eq!(bobs, json!([]));
        assert_eq!(api.get(&format!("/api/me/tasks/{id}")).await.json::<Value>().await.unwrap(), task);
    }

    /// `sub` is whatever the provider says: a client's id, or with reserved characters.
    async fn any_subject_has_a_list(db) {
        let api = TestApi::new(db).await;
        for subject in ["my-service", "auth0|5f7c8ec7", "https://idp.example/users/1", "Ünïcode 😀"] {
            let token = api.token_of(subject, "tasks:read tasks:write");
            let send = |request: reqwest::RequestBuilder| {
                let request = request.bearer_auth(&token);
                async move { request.send().await.unwrap() }
            };
            let url = format!("{}/api/me/tasks", api.url);
            let response = send(api.http.post(&url).json(&json!({"title": "t"}))).await;
            let location = header(&response, "location").to_owned();
            assert_eq!(response.json::<Value>().await.unwrap()["user_id"], subject);
            assert_eq!(send(api.http.get(location)).await.status(), 200);
            let mut named = url::Url::parse(&api.url).unwrap();
            named.path_segments_mut().unwrap().extend(["api", subject, "tasks"]);
            assert_eq!(send(api.http.get(named)).await.json::<Vec<Value>>().await.unwrap().len(), 1);
        }
    }

    async fn what_is_stored_is_there_after_a_restart(db) {
        let api = TestApi::new(db).await;
        let task = api.create(json!({"title": "kept"})).await;
        let (url, db_url) = (api.url.clone(), api.database_url());
        let again = api::Config { public_url: url, issuer: api.issuer.url.clone(), database_url: db_url, ..api::Config::default() };
        let shutdown = platform::server::Shutdown::default();
        let router = api::start(again, api.clock.clone(), &shutdown).await.unwrap();
        let (listener, url) = platform::testing::TestServer::reserve();
        let _server = platform::testing::serve(listener, &router, shutdown);
        let tasks = api.http.get(format!("{url}/api/me/tasks")).bearer_auth(&api.token).send().await.unwrap();
        assert_eq!(tasks.json::<Value>().await.unwrap(), json!([task]));
    }
}
