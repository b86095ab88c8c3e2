use chrono::TimeDelta;
use platform::on_each_database;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{TestApi, header, problem};

async fn titles(response: Response) -> Vec<String> {
    assert_eq!(response.status(), 200);
    let tasks: Vec<Value> = response.json().await.unwrap();
    tasks.iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
}

/// The path of the next page, from `Link`.
fn next(api: &TestApi, response: &Response) -> Option<String> {
    let link = header(response, "link");
    let url = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
    Some(url.strip_prefix(&api.url).unwrap().to_owned())
}

async fn all_pages(api: &TestApi, first: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut path = Some(first.to_owned());
    while let Some(this) = path {
        let response = api.get(&this).await;
        path = next(api, &response);
        all.extend(titles(response).await);
        assert!(all.len() < 1000, "the pages never end");
    }
    all
}

impl TestApi {
    async fn create_all(&self, titles: &[&str]) {
        for title in titles {
            self.create(json!({"title": title})).await;
            self.clock.advance(TimeDelta::microseconds(1));
        }
    }
}

on_each_database! {
    /// A list that is remembered is worth nothing after a write, whoever's it was.
    async fn a_list_shows_every_write_that_was_acknowledged_before_it(db) {
        let api = TestApi::new(db).await;
        for count in 1..=20 {
            api.create(json!({"title": format!("task {count}")})).await;
            for _ in 0..2 {
                assert_eq!(titles(api.get("/api/me/tasks").await).await.len(), count);
            }
        }
        let tasks: Vec<Value> = api.get("/api/me/tasks").await.json().await.unwrap();
        let path = format!("/api/me/tasks/{}", tasks[0]["id"].as_str().unwrap());
        api.send(reqwest::Method::PATCH, &path, &json!({"title": "renamed"})).await;
        assert_eq!(titles(api.get("/api/me/tasks").await).await[0], "renamed");
    }

    async fn the_newest_task_comes_first_unless_another_order_is_asked_for(db) {
        let api = TestApi::new(db).await;
        api.create_all(&["b", "A", "ä", "Z", "a", "é"]).await;
        let sorted = |sort: &str| {
            let path = format!("/api/me/tasks?sort={sort}");
            let api = &api;
            async move { titles(api.get(&path).await).await.concat() }
        };
        assert_eq!(titles(api.get("/api/me/tasks").await).await.concat(), "éaZäAb");
        assert_eq!(sorted("-created_at").await, "éaZäAb");
        assert_eq!(sorted("created_at").await, "bAäZaé");
        assert_eq!(sorted("title").await, "AabZäé");
        assert_eq!(sorted("-title").await, "éäZbaA");

        let tasks: Vec<Value> = api.get("/api/me/tasks").await.json().await.unwrap();
        let b = tasks.last().unwrap()["id"].as_str().unwrap();
        api.send(reqwest::Method::PATCH, &format!("/api/me/tasks/{b}"), &json!({"completed": true})).await;
        assert_eq!(sorted("-updated_at").await, "béaZäA");
        assert_eq!(sorted("updated_at").await, "AäZaéb");
    }

    async fn pages_show_every_task_once_in_every_order(db) {
        let api = TestApi::new(db).await;
        // Equal titles and equal times: ties are broken by id.
        for n in 0..23 {
            api.create(json!({"title": format!("t{}", n % 4), "completed": n % 2 == 0})).await;
            if n % 3 == 0 {
                api.clock.advance(TimeDelta::microseconds(1));
            }
        }
        api.create(json!({"title": "\u{10FFFF}".repeat(255)})).await;
        for sort in ["created_at", "-created_at", "updated_at", "-updated_at", "title", "-title"] {
            let whole = titles(api.get(&format!("/api/me/tasks?sort={sort}")).await).await;
            assert_eq!(whole.len(), 24);
            for limit in [1, 7, 12, 24, 200] {
                let paged = all_pages(&api, &format!("/api/me/tasks?sort={sort}&limit={limit}")).await;
                assert_eq!(paged, whole, "{sort}, {limit} a page");
            }
        }
        let open = all_pages(&api, "/api/me/tasks?completed=false&q=T1&limit=2").await;
        assert_eq!(open, ["t1"; 6]);
    }

    /// A task that is added or deleted between two pages moves none to where it is missed.
    async fn a_page_goes_on_where_the_last_one_ended(db) {
        let api = TestApi::new(db).await;
        api.create_all(&["1", "2", "3", "4"]).await;
        let response = api.get("/api/me/tasks?limit=2").await;
        let path = next(&api, &response).unwrap();
        let first: Vec<Value> = response.json().await.unwrap();
        api.create(json!({"title": "5"})).await;
        let last = format!("/api/me/tasks/{}", first[1]["id"].as_str().unwrap());
        api.request(reqwest::Method::DELETE, &last).send().await.unwrap();
        assert_eq!(titles(api.get(&path).await).await, ["2", "1"]);
    }

    async fn a_search_finds_title_and_description_in_any_case_and_any_language(db) {
        let api = TestApi::new(db).await;
        api.create(json!({"title": "Äpfel kaufen", "description": "100% Bio"})).await;
        api.create(json!({"title": "ПРИВЕТ", "description": "snake_case"})).await;
        api.create(json!({"title": r"back\slash"})).await;
        api.create(json!({"title": "Cafe\u{301}"})).await;
        let found = [
            ("äpfel", vec!["Äpfel kaufen"]),
            ("ÄPFEL", vec!["Äpfel kaufen"]),
            ("%D0%BF%D1%80%D0%B8", vec!["ПРИВЕТ"]),
            ("bio", vec!["Äpfel kaufen"]),
            ("%25", vec!["Äpfel kaufen"]),
            ("_", vec!["ПРИВЕТ"]),
            ("%5C", vec![r"back\slash"]),
            ("CAF%C3%89", vec!["Cafe\u{301}"]),
            ("a%25c", vec![]),
            ("'%20OR%20'1'='1", vec![]),
            ("+", vec!["Cafe\u{301}", r"back\slash", "ПРИВЕТ", "Äpfel kaufen"]),
        ];
        for (q, expected) in found {
            assert_eq!(titles(api.get(&format!("/api/me/tasks?q={q}")).await).await, expected, "{q}");
        }
    }

    async fn completed_filters(db) {
        let api = TestApi::new(db).await;
        api.create(json!({"title": "done", "completed": true})).await;
        api.create(json!({"title": "open"})).await;
        assert_eq!(titles(api.get("/api/me/tasks?completed=true").await).await, ["done"]);
        assert_eq!(titles(api.get("/api/me/tasks?completed=false").await).await, ["open"]);
    }

    async fn a_wrong_query_is_refused_with_every_mistake(db) {
        let api = TestApi::new(db).await;
        api.create_all(&["1", "2"]).await;
        let response = api.get("/api/me/tasks?limit=1").await;
        let cursor = next(&api, &response).unwrap().split_once("cursor=").unwrap().1.to_owned();
        let long = "q".repeat(256);
        let wrong: [(&str, &[&str]); 16] = [
            ("completed=yes", &["completed"]),
            ("completed=", &["completed"]),
            ("limit=0", &["limit"]),
            ("limit=201", &["limit"]),
            ("limit=-1", &["limit"]),
            ("limit=1e2", &["limit"]),
            ("limit=99999999999999999999", &["limit"]),
            ("sort=user_id", &["sort"]),
            ("sort=created_at;DROP", &["sort"]),
            ("cursor=x", &["cursor"]),
            ("cursor=", &["cursor"]),
            (&format!("sort=title&cursor={cursor}"), &["cursor"]),
            ("q=%00", &["q"]),
            (&format!("q={long}"), &["q"]),
            ("page=2&limit=1&limit=2", &["page", "limit"]),
            ("completed=1&sort=x&limit=x", &["completed", "limit", "sort"]),
        ];
        for (query, fields) in wrong {
            assert_eq!(problem(api.get(&format!("/api/me/tasks?{query}")).await, 422).await, fields, "{query}");
        }
    }

    /// A cursor is not secret, only opaque: whatever somebody makes of it, it is refused or harmless.
    async fn a_cursor_that_somebody_made_does_no_harm(db) {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let api = TestApi::new(db).await;
        let id = "0198c5b0-6c2e-7d3a-9a53-3f1d2c4b5a69";
        let made = [
            format!("-created_at {id} {}", i64::MAX),
            format!("-created_at {id} {}", i64::MIN),
            format!("-created_at {id} -1"),
            format!("-created_at {id} "),
            "-created_at nothing 1".to_owned(),
            format!("title {id} a\0"),
        ];
        for text in made {
            let sort = text.split(' ').next().unwrap();
            let path = format!("/api/me/tasks?sort={sort}&cursor={}", URL_SAFE_NO_PAD.encode(&text));
            assert_eq!(problem(api.get(&path).await, 422).await, ["cursor"], "{text:?}");
        }
        let not_text = URL_SAFE_NO_PAD.encode([b't', 0xff]);
        problem(api.get(&format!("/api/me/tasks?cursor={not_text}")).await, 422).await;
    }
}
