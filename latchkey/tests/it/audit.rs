//! What operators are told of what happened, and of what was refused.

use idp::store::MIGRATIONS;
use platform::{
    db::{Db, Driver},
    on_conn, on_each_database,
    testing::TestDb,
};
use serde_json::Value;

use crate::support::{PATIENCE, Place, Ran, http};

const PASSWORD: &str = "correct horse battery staple\n";

/// `latchkey explain`, as soon as the refusal is written.
async fn explained(place: &Place, reference: &str) -> Ran {
    let started = std::time::Instant::now();
    loop {
        let ran = place.run(&["explain", reference]);
        if ran.status.success() {
            return ran;
        }
        assert!(started.elapsed() < PATIENCE, "{}", ran.stderr);
    }
}

/// Changes an event as somebody would who owns the database.
async fn tamper(url: &str) {
    let db = Db::open(url, &MIGRATIONS).await.unwrap();
    let mut tx = db.write().await.unwrap();
    let off = match tx.driver() {
        Driver::Sqlite(_) => "DROP TRIGGER audit_events_never_change",
        Driver::Postgres(_) => "ALTER TABLE audit_events DISABLE TRIGGER USER",
    };
    for statement in [off, "UPDATE audit_events SET details = '{}' WHERE event = 'user_added'"] {
        on_conn!(&mut tx, |conn| sqlx::query(statement).execute(conn).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();
}

on_each_database! {
    async fn what_happened_is_listed_exported_and_verified(db) {
        let url = url(&db);
        let place = Place::on(db).await;
        place.run_with_input(&["user", "add", "ada@example.com", "--name", "Ada"], PASSWORD).good();
        let first = place.run(&["audit", "verify"]).good().value("mark");
        place.run(&["client", "add", "shop", "--name", "The Shop", "--redirect-uri", "https://shop.example/cb"]).good();
        place.run(&["user", "disable", "ada@example.com"]).good();
        place.run(&["keys", "rotate"]).good();

        let list = place.run(&["audit", "list"]).good().stdout;
        for words in ["Account disabled, by the administrator", "The Shop was added", "Signing keys rotated"] {
            assert!(list.contains(words), "no {words} in {list}");
        }
        let hers = place.run(&["audit", "list", "--user", "ADA@example.com", "--since", "1h", "--limit", "1"]).good().stdout;
        assert!(hers.contains("Account disabled") && !hers.contains("Account made"), "{hers}");
        let added = place.run(&["audit", "list", "--event", "client_added", "--since", "2020-01-01"]).good().stdout;
        assert_eq!(added.lines().count(), 2, "{added}");
        let future = place.run(&["audit", "list", "--since", "2999-01-01T00:00:00Z"]).good().stdout;
        assert_eq!(future.lines().count(), 1, "the heading alone: {future}");
        assert_eq!(place.run(&["audit", "list", "--user", "nobody@example.com"]).failure().len(), 1);
        for wrong in [["list", "--since", "yesterday"], ["verify", "--kept", "12"]] {
            let args = ["audit"].into_iter().chain(wrong);
            assert_eq!(place.command(args).output().unwrap().status.code(), Some(2));
        }

        let exported = place.run(&["audit", "export"]).good().stdout;
        let events: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 4);
        assert!(events.iter().enumerate().all(|(index, event)| event["seq"] == index + 1), "{exported}");
        assert!(events.iter().all(|event| event["details"]["actor"] == "operator"), "{exported}");

        place.run(&["audit", "verify", "--kept", &first]).good();
        tamper(&url.unwrap_or_else(|| format!("sqlite:{}", place.dir.path().join("data/idp.db").display()))).await;
        let broken = place.run(&["audit", "verify"]).failure();
        assert!(broken.len() == 1 && broken[0].contains("broken at event 1"), "{broken:?}");
    }

    async fn a_refusal_is_explained_by_its_reference(db) {
        let place = Place::on(db).await;
        place.run(&["client", "add", "shop", "--redirect-uri", "https://shop.example/cb"]).good();
        let node = place.start().await;
        let query = "client_id=shop&redirect_uri=https%3A%2F%2Fshop.example%2Fcb%2F&response_type=code";
        let answer = http().get(format!("{}/authorize?{query}", place.idp)).send().await.unwrap();
        let reference = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(answer.text().await.unwrap().contains(&reference), "people see it too");
        let explained = explained(&place, &reference).await;
        assert_eq!(explained.value("  redirect_uri "), "https://shop.example/cb/");
        assert_eq!(explained.value("  redirect_uris "), "https://shop.example/cb");
        assert_eq!(explained.value("client "), "shop");
        for words in ["redirect_uri is not registered", "/authorize", "compared byte for byte"] {
            assert!(explained.stdout.contains(words), "no {words} in {}", explained.stdout);
        }
        for unknown in ["nonsense", "01970f3e-6a5c-7bd1-a0a4-3f4c5d6e7f80"] {
            assert_eq!(place.run(&["explain", unknown]).failure().len(), 1);
        }
        node.stop().await;
    }
}

/// Of a database that is not a file of the place's own.
fn url(db: &TestDb) -> Option<String> {
    db.url.starts_with("postgres").then(|| db.url.clone())
}
