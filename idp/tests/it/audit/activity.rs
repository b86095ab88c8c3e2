use idp::admin::{
    audit::{self, Filter},
    users,
};
use platform::on_each_database;
use reqwest::StatusCode;

use crate::fixture::{TestIdp, location};

on_each_database! {
    async fn people_see_what_happened_to_their_own_account_in_plain_words(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        idp.signed_up("bob").await.code("other", &[]).await;
        alice.code("web", &[]).await;
        let wrong = idp.browser().log_in("/login", "alice", "something else").await;
        assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
        users::set_claim(&idp.operator, "alice@example.com", "nickname", Some("Al"), idp.clock.now()).await.unwrap();

        let page = alice.get("/account/activity").await.text().await.unwrap();
        let words = [
            "Profile changed: nickname, by the administrator",
            "A log-in failed with a password",
            "Logged in to The web app",
            "Logged in",
            "Signed up",
        ];
        let places: Vec<_> = words.iter().map(|words| page.find(&format!("<bdi>{words}</bdi>")).expect(words)).collect();
        assert!(places.is_sorted(), "newest first: {places:?}");
        assert!(page.contains("just now") && page.contains("from 127.0.0.1") && !page.contains("The other app"));
        assert!(!page.contains("before="), "there is one page");

        let lines = audit::list(&idp.operator, &Filter { user: Some("Alice@example.com"), ..Filter::default() }, 50).await.unwrap();
        let listed: Vec<_> = lines.iter().map(|line| line.words.as_str()).collect();
        assert_eq!(listed, words, "operators read the same words");
        assert!(lines.iter().all(|line| line.user == "alice@example.com"));
        let failed = Filter { event: Some("log_in_failed"), ..Filter::default() };
        assert_eq!(audit::list(&idp.operator, &failed, 50).await.unwrap().len(), 1);
        let later = Filter { since: Some(idp.clock.now() + chrono::TimeDelta::seconds(1)), ..Filter::default() };
        assert!(audit::list(&idp.operator, &later, 50).await.unwrap().is_empty());
        let nobody = Filter { user: Some("nobody@example.com"), ..Filter::default() };
        assert!(audit::list(&idp.operator, &nobody, 50).await.is_err());
    }

    async fn fifty_events_make_a_page(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        for _ in 0..58 {
            alice.post("/account/data/export", &[]).await;
        }
        let count = |page: &str| page.matches("<time").count();
        let first = alice.get("/account/activity").await.text().await.unwrap();
        assert_eq!(count(&first), 50);
        let (_, rest) = first.split_once("href=\"/account/activity?before=").expect("a way to older ones");
        let before = rest.split('"').next().unwrap();
        let second = alice.get(&format!("/account/activity?before={before}")).await.text().await.unwrap();
        assert_eq!(count(&second), 10);
        assert!(second.contains("Signed up") && !second.contains("?before="));
        let none = alice.get("/account/activity?before=1").await.text().await.unwrap();
        assert!(none.contains("There is nothing older."));
        for nonsense in ["x", "", "-5", "99999999999999999999"] {
            assert_eq!(alice.get(&format!("/account/activity?before={nonsense}")).await.status(), StatusCode::OK);
        }
    }

    async fn strangers_log_in_first(db) {
        let idp = TestIdp::new(db).await;
        let answer = idp.browser().get("/account/activity").await;
        assert_eq!(location(&answer), "/login?return_to=%2Faccount%2Factivity");
    }
}
