//! Forms that only our own pages can post.

use platform::on_each_database;

use crate::world::World;

on_each_database! {
    async fn a_form_from_elsewhere_changes_nothing(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let task = world.api.state.add("Stay");
        let token = browser.form_token().await;
        let others = world.member().await.form_token().await;
        let origin = world.config.public_url.as_str();
        let key = uuid::Uuid::new_v4().to_string();
        let actions = [
            "/tasks".to_owned(),
            format!("/tasks/{task}/edit"),
            format!("/tasks/{task}/complete"),
            format!("/tasks/{task}/delete"),
            "/logout".to_owned(),
        ];
        type Headers<'a> = &'a [(&'static str, &'a str)];
        let wrong: [(&str, &[&str], Headers<'_>); 9] = [
            ("no token", &[], &[("origin", origin)]),
            ("empty token", &[""], &[("origin", origin)]),
            ("another browser's token", &[&others], &[("origin", origin)]),
            ("two tokens", &[&token, &token], &[("origin", origin)]),
            ("foreign origin", &[&token], &[("origin", "https://evil.example")]),
            ("null origin", &[&token], &[("origin", "null")]),
            ("another port", &[&token], &[("origin", "http://localhost:1")]),
            ("cross-site", &[&token], &[("sec-fetch-site", "cross-site")]),
            ("same-site", &[&token], &[("sec-fetch-site", "same-site")]),
        ];
        for action in &actions {
            for (what, tokens, headers) in wrong {
                let mut fields = vec![("title", "Changed"), ("completed", "true"), ("key", &key)];
                fields.extend(tokens.iter().map(|token| ("form_token", *token)));
                let seen = browser.post_with(action, &fields, headers).await;
                assert_eq!(seen.status, 403, "{what} {action}");
                seen.shows("This form has expired");
            }
        }
        assert_eq!(world.api.state.titles(), ["Stay"]);
        assert_eq!(world.api.state.known().tasks[0]["completed"], false);
        browser.get("/tasks").await.is(200);
    }

    async fn a_link_changes_nothing(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let task = world.api.state.add("Stay");
        browser.get("/logout").await.is(405);
        browser.get(&format!("/tasks/{task}/complete")).await.is(405);
        browser.get(&format!("/tasks/{task}/delete")).await.is(200); // asks
        assert_eq!(world.api.state.titles(), ["Stay"]);
    }
}
