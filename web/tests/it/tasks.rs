//! The list, and what can be done with it without JavaScript.

use futures_util::future::join_all;
use platform::on_each_database;

use crate::{browser::Browser, world::World};

async fn create(browser: &Browser, fields: &[(&str, &str)]) -> crate::browser::Seen {
    let key = uuid::Uuid::new_v4().to_string();
    browser.post("/tasks", &[fields, &[("key", &key)]].concat()).await
}

on_each_database! {
    async fn a_task_is_created_edited_completed_reopened_and_deleted(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        browser.get("/tasks").await.is(200).shows("Nothing to do yet");
        create(&browser, &[("title", "Buy bread"), ("description", "Rye")]).await.leads_to("/tasks");
        browser.get("/tasks").await.shows("Task added.").shows("Buy bread").shows("Rye").shows("<time datetime=");
        browser.get("/tasks").await.lacks("Task added.");

        let id = world.api.state.known().tasks[0]["id"].as_str().unwrap().to_owned();
        let edit = format!("/tasks/{id}/edit");
        browser.get(&edit).await.is(200).shows("value=\"Buy bread\"").shows(">\nRye</textarea>");
        browser.post(&edit, &[("title", "Buy rolls"), ("from", "filter=open")]).await.leads_to("/tasks?filter=open");
        browser.get("/tasks").await.shows("Task saved.").shows("Buy rolls").lacks("Rye");

        let complete = format!("/tasks/{id}/complete");
        browser.post(&complete, &[("completed", "true")]).await.leads_to("/tasks");
        browser.get("/tasks?filter=done").await.shows("Task completed.").shows("Buy rolls").shows("aria-pressed=\"true\"");
        browser.get("/tasks?filter=open").await.shows("All done").lacks("Buy rolls");
        browser.post(&complete, &[("completed", "false")]).await;
        browser.get("/tasks?filter=done").await.shows("Task reopened.").shows("Nothing done yet");

        let delete = format!("/tasks/{id}/delete");
        browser.get(&format!("{delete}?from=q%3DBuy")).await.is(200).shows("Buy rolls").shows("href=\"/tasks?q=Buy\"");
        browser.post(&delete, &[("from", "q=Buy")]).await.leads_to("/tasks?q=Buy");
        browser.get("/tasks?q=Buy").await.shows("Task deleted.").shows("Nothing found").shows("Clear the search");
    }

    async fn the_same_form_sent_twice_makes_one_task(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let page = browser.get("/tasks").await;
        let (key, token) = (page.hidden("key"), page.hidden("form_token"));
        let fields = [("title", "Once"), ("key", &*key), ("form_token", &*token)];
        let seen = join_all((0..5).map(|_| browser.post_with("/tasks", &fields, &[]))).await;
        assert!(seen.iter().all(|seen| seen.status == 303));
        assert_eq!(world.api.state.titles(), ["Once"]);
        assert_ne!(browser.get("/tasks").await.hidden("key"), key);
    }

    async fn what_the_api_refuses_is_said_at_the_field_and_what_was_typed_stays(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let long = "d".repeat(1025);
        let seen = create(&browser, &[("title", " "), ("description", "Typed <b>")]).await;
        seen.is(422).shows("<title>Error: ").shows("role=\"alert\"").shows("Write what is to be done.");
        seen.shows("aria-describedby=\"task-title-error\" autofocus").shows("\nTyped &#60;b&#62;</textarea>");
        let seen = create(&browser, &[("title", "T"), ("description", &long)]).await;
        seen.is(422).shows("aria-describedby=\"task-description-error\" autofocus").shows("value=\"T\"").shows(&long);
        seen.lacks("task-title-error");

        let id = world.api.state.add("Before");
        let seen = browser.post(&format!("/tasks/{id}/edit"), &[("title", ""), ("description", "Kept")]).await;
        seen.is(422).shows("edit-title-error").shows("\nKept</textarea>").shows("<title>Error: Edit a task");
        assert_eq!(world.api.state.titles(), ["Before"]);
    }

    async fn a_task_that_is_gone_is_said_to_be(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let gone = uuid::Uuid::new_v4();
        for page in ["edit", "delete"] {
            browser.get(&format!("/tasks/{gone}/{page}")).await.is(404).shows("This task is no longer there");
            browser.get(&format!("/tasks/x/{page}")).await.is(404).shows("Page not found");
        }
        for action in ["edit", "complete", "delete"] {
            let path = format!("/tasks/{gone}/{action}");
            browser.post(&path, &[("title", "x"), ("completed", "true")]).await.leads_to("/tasks");
            browser.get("/tasks").await.shows("That task is no longer there.").shows("role=\"alert\"");
        }
    }

    async fn what_is_not_allowed_is_said_to_be(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let id = world.api.state.add("Stay");
        let token = browser.form_token().await;
        world.api.state.known().status = Some(403);
        browser.get("/tasks").await.is(403).shows("This is not yours to open");
        let fields = [("completed", "true"), ("form_token", &token)];
        browser.post_with(&format!("/tasks/{id}/complete"), &fields, &[]).await.leads_to("/tasks");
        world.api.state.known().status = None;
        browser.get("/tasks").await.shows("You are not allowed to do that.");
        assert_eq!(world.op.state.known().refreshes, 0);
    }

    async fn a_fault_of_the_network_is_tried_again_and_then_said(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let id = world.api.state.add("Stay");
        world.api.state.known().fails = 1;
        browser.get("/tasks").await.is(200).shows("Stay");
        let page = browser.get("/tasks").await;
        let (token, key) = (page.hidden("form_token"), page.hidden("key"));
        let fields = [("title", "New"), ("key", &*key), ("form_token", &*token), ("completed", "true")];
        world.api.state.known().fails = 1;
        browser.post_with("/tasks", &fields, &[]).await.leads_to("/tasks");

        world.api.state.known().fails = usize::MAX;
        browser.get("/tasks").await.is(503).shows("Your tasks cannot be shown right now").shows("Try again");
        browser.get(&format!("/tasks/{id}/edit")).await.is(503).shows("The task service does not answer");
        let seen = browser.post_with("/tasks", &fields, &[]).await;
        seen.is(503).shows("The task service cannot be reached.").shows("value=\"New\"").shows(&key);
        let seen = browser.post_with(&format!("/tasks/{id}/edit"), &fields, &[]).await;
        seen.is(503).shows("The task service cannot be reached.").shows("value=\"New\"");
        browser.post_with(&format!("/tasks/{id}/complete"), &fields, &[]).await.leads_to("/tasks");
        world.api.state.known().fails = 0;
        browser.get("/tasks").await.is(200).shows("The task service cannot be reached.");
        assert_eq!(world.api.state.titles(), ["Stay", "New"]);
    }

    async fn many_tasks_are_shown_a_hundred_more_at_a_time(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        for number in 0..450 {
            world.api.state.add(&format!("Task {number}."));
        }
        let shown = |page: &crate::browser::Seen| page.body.matches("data-task-id").count();
        let mut path = "/tasks".to_owned();
        for expected in [100, 200, 300, 400] {
            let page = browser.get(&path).await;
            assert_eq!(shown(&page), expected);
            path = format!("/tasks?show={}", expected + 100);
            page.shows(&format!("href=\"{path}\""));
        }
        let page = browser.get(&path).await;
        assert_eq!(shown(&page), 450);
        page.lacks("more-tasks").shows("Task 449.").shows("Task 0.");
    }

    async fn what_people_write_is_text(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        create(&browser, &[("title", evil), ("description", evil)]).await.leads_to("/tasks");
        let id = world.api.state.known().tasks[0]["id"].as_str().unwrap().to_owned();
        let query: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        for path in [
            "/tasks".to_owned(),
            format!("/tasks?q={query}"),
            format!("/tasks/{id}/edit?from={query}"),
            format!("/tasks/{id}/delete?from=q%3D{query}"),
        ] {
            let page = browser.get(&path).await;
            page.is(200).lacks("<script>alert").lacks("<img").lacks("\"'>");
        }
        browser.get("/tasks").await.shows("dir=\"auto\">&#60;script&#62;");
    }
}
