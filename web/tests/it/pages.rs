//! What every page has.

use platform::on_each_database;

use crate::world::World;

on_each_database! {
    async fn every_page_names_itself_and_allows_no_foreign_thing(db) {
        let world = World::new(db).await;
        let (visitor, member) = (world.browser(), world.member().await);
        let id = world.api.state.add("One");
        let pages = [
            (visitor.get("/").await, "Welcome"),
            (visitor.get("/nothing").await, "Page not found"),
            (member.get("/").await, "Welcome"),
            (member.get("/tasks").await, "All tasks"),
            (member.get("/tasks?filter=done").await, "Done tasks"),
            (member.get("/tasks?q=On").await, "Search: On"),
            (member.get(&format!("/tasks/{id}/edit")).await, "Edit a task"),
            (member.get(&format!("/tasks/{id}/delete")).await, "Delete a task?"),
        ];
        for (page, title) in pages {
            page.shows(&format!("<title>{title} · Latchkey Tasks</title>")).shows("<html lang=\"en\">");
            assert_eq!(page.body.matches("<h1").count(), 1, "{title}");
            assert_eq!(page.body.matches("<main").count(), 1, "{title}");
            page.lacks("style=").lacks("onclick").lacks("https://").lacks("http://");
            assert_eq!(page.headers["cache-control"], "no-store");
            let policy = page.headers["content-security-policy"].to_str().unwrap();
            let nonce = page.body.split_once("nonce=\"").unwrap().1.split('"').next().unwrap();
            for part in ["default-src 'none'", "frame-ancestors 'none'", &format!("script-src 'nonce-{nonce}'")] {
                assert!(policy.contains(part), "{policy}");
            }
            assert!(!policy.contains("unsafe"));
        }
    }

    async fn a_cold_page_weighs_at_most_30_kb(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let page = browser.get("/tasks").await;
        let mut weight = page.body.len();
        for (before, limit) in [("stylesheet\" href=\"", 12_000), ("src=\"", 8_000), ("icon\" href=\"", 1_000)] {
            let path = page.body.split_once(before).unwrap().1.split('"').next().unwrap();
            let asset = browser.get(path).await;
            asset.is(200);
            assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
            assert!(asset.body.len() <= limit, "{path}: {}", asset.body.len());
            weight += asset.body.len();
        }
        assert!(weight < 30_000, "{weight}");
    }
}
