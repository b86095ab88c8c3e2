use platform::on_each_database;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{TestApi, header, problem};

impl TestApi {
    async fn on_condition(
        &self,
        method: Method,
        path: &str,
        name: &str,
        value: &str,
        body: Option<Value>,
    ) -> Response {
        let mut request = self.request(method, path).header(name, value);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }
}

on_each_database! {
    /// RFC 9110 §13.1.1
    async fn a_change_with_an_old_etag_is_refused(db) {
        let api = TestApi::new(db).await;
        let created = api.send(Method::POST, "/api/me/tasks", &json!({"title": "t"})).await;
        let first = header(&created, "etag").to_owned();
        let path = header(&created, "location").strip_prefix(&api.url).unwrap().to_owned();
        assert_eq!(header(&api.get(&path).await, "etag"), first);
        assert!(first.starts_with('"'), "a strong tag: {first}");

        let changed = api.on_condition(Method::PUT, &path, "if-match", &first, Some(json!({"title": "u"}))).await;
        assert_eq!(changed.status(), 200);
        let second = header(&changed, "etag").to_owned();
        assert_ne!(first, second);

        let weak = format!("W/{second}");
        let complete = format!("{path}/complete");
        for old in [&first, &weak, "\"nothing\"", "rubbish", ""] {
            let title = json!({"title": "v"});
            problem(api.on_condition(Method::PUT, &path, "if-match", old, Some(title.clone())).await, 412).await;
            problem(api.on_condition(Method::PATCH, &path, "if-match", old, Some(title)).await, 412).await;
            problem(api.on_condition(Method::PATCH, &complete, "if-match", old, Some(json!({"completed": true}))).await, 412).await;
            problem(api.on_condition(Method::DELETE, &path, "if-match", old, None).await, 412).await;
        }
        assert_eq!(api.get(&path).await.json::<Value>().await.unwrap()["title"], "u");

        let list = format!("{first}, {second}");
        let patched = api.on_condition(Method::PATCH, &path, "if-match", &list, Some(json!({"completed": true}))).await;
        assert_eq!(patched.status(), 200);
        assert_eq!(api.on_condition(Method::DELETE, &path, "if-match", "*", None).await.status(), 204);
    }

    /// RFC 9110 §13.1.2
    async fn a_task_that_the_client_has_is_not_sent_again(db) {
        let api = TestApi::new(db).await;
        let created = api.send(Method::POST, "/api/me/tasks", &json!({"title": "t"})).await;
        let etag = header(&created, "etag").to_owned();
        let path = header(&created, "location").strip_prefix(&api.url).unwrap().to_owned();
        for same in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let response = api.on_condition(Method::GET, &path, "if-none-match", &same, None).await;
            assert_eq!((response.status().as_u16(), header(&response, "etag")), (304, &*etag));
            assert_eq!(response.text().await.unwrap(), "");
        }
        assert_eq!(api.on_condition(Method::GET, &path, "if-none-match", "\"x\"", None).await.status(), 200);
        api.send(Method::PATCH, &path, &json!({"completed": true})).await;
        assert_eq!(api.on_condition(Method::GET, &path, "if-none-match", &etag, None).await.status(), 200);
    }

    async fn of_many_changes_to_one_version_exactly_one_wins(db) {
        let api = TestApi::new(db).await;
        let created = api.send(Method::POST, "/api/me/tasks", &json!({"title": "t"})).await;
        let etag = header(&created, "etag").to_owned();
        let path = header(&created, "location").strip_prefix(&api.url).unwrap().to_owned();
        let changes = (0..30).map(|n| {
            let body = json!({"title": format!("changed by {n}")});
            let (api, path, etag) = (&api, &path, &etag);
            async move { api.on_condition(Method::PATCH, path, "if-match", etag, Some(body)).await.status().as_u16() }
        });
        let mut statuses = futures_util::future::join_all(changes).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 200);
        assert!(statuses[1..].iter().all(|status| *status == 412), "{statuses:?}");
    }

    /// Without a precondition every change counts, and none overwrites another field.
    async fn changes_at_the_same_time_lose_nothing(db) {
        let api = TestApi::new(db).await;
        let task = api.create(json!({"title": "t"})).await;
        let path = format!("/api/me/tasks/{}", task["id"].as_str().unwrap());
        let bodies = [json!({"title": "u"}), json!({"description": "d"}), json!({"completed": true})];
        let changes = (0..30).map(|n| api.send(Method::PATCH, &path, &bodies[n % 3]));
        for response in futures_util::future::join_all(changes).await {
            assert_eq!(response.status(), 200);
        }
        let response = api.get(&path).await;
        assert_eq!(header(&response, "etag"), "\"31\"");
        let task: Value = response.json().await.unwrap();
        assert_eq!((&task["title"], &task["description"], &task["completed"]), (&json!("u"), &json!("d"), &json!(true)));
    }
}
