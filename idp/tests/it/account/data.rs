//! `/account/data`

use std::collections::BTreeSet;

use platform::{
    db::{Db, Driver},
    on_each_database,
};
use reqwest::StatusCode;
use serde_json::Value;

use super::{demands_a_log_in, text};
use crate::fixture::{TestIdp, location, redirected};

/// The tables that name a person.
pub async fn personal_tables(db: &Db) -> BTreeSet<String> {
    let mut conn = db.read().await.unwrap();
    let tables: Vec<String> = match conn.driver() {
        Driver::Sqlite(conn) => sqlx::query_scalar(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'user_id'",
        )
        .fetch_all(conn)
        .await
        .unwrap(),
        Driver::Postgres(conn) => sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND column_name = 'user_id'",
        )
        .fetch_all(conn)
        .await
        .unwrap(),
    };
    tables.into_iter().collect()
}

on_each_database! {
    /// A new table with a `user_id` belongs into `store::personal_data`.
    async fn people_get_all_that_is_stored_about_them(db) {
        let idp = TestIdp::new(db).await;
        let (alice, bob) = (idp.signed_up("alice").await, idp.signed_up("bob").await);
        for browser in [&alice, &bob] {
            let page = browser.get(&location(&browser.authorize("shop", &[]).await)).await;
            let allowed = browser.submit(page, &[("decision", "allow")]).await;
            idp.redeem("shop", &redirected(&allowed).1["code"], &[]).await;
        }
        alice.post("/account/profile", &[("nickname", "Al")]).await;

        let file = alice.post("/account/data/export", &[]).await;
        assert_eq!(file.status(), StatusCode::OK);
        assert_eq!(file.headers()["content-type"], "application/json");
        assert_eq!(file.headers()["content-disposition"], "attachment; filename=\"your-data.json\"");
        assert_eq!(file.headers()["cache-control"], "no-store");
        let file = text(file).await;
        let data: Value = serde_json::from_str(&file).unwrap();
        let told: BTreeSet<String> = data.as_object().unwrap().keys().cloned().collect();
        let mut expected = personal_tables(&idp.db).await;
        expected.insert("users".to_owned());
        assert_eq!(told, expected);

        let person = &data["users"][0];
        assert_eq!((&person["email"], &person["claims"]["nickname"]), (&"alice@example.com".into(), &"Al".into()));
        assert_eq!((&data["consents"][0]["client_id"], data["consents"].as_array().unwrap().len()), (&"shop".into(), 1));
        assert_eq!((data["sessions"].as_array().unwrap().len(), data["grants"].as_array().unwrap().len()), (1, 1));
        assert!(!file.contains("bob") && !file.contains("argon2") && !file.contains("_hash\"") && !file.contains("\"secret\""), "{file}");
    }

    async fn only_who_has_logged_in_just_now_gets_it(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        demands_a_log_in(&idp, &alice, "/account/data", false).await;
        let late = alice.post("/account/data/export", &[]).await;
        assert_eq!(location(&late), "/login?return_to=%2Faccount%2Fdata");
        let mut request = idp.http.post(idp.at("/account/data/export")).header("cookie", alice.cookies.header());
        assert_eq!(request.try_clone().unwrap().send().await.unwrap().status(), StatusCode::BAD_REQUEST);
        request = request.form(&[("form_token", "x")]);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
}
