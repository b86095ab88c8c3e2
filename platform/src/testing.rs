//! For tests only: each test on SQLite and on PostgreSQL, on a database of its own.

mod browser;
mod cookies;
mod postgres;
mod schema;
mod server;

pub use browser::{Browser, Options, browser};
pub use cookies::Cookies;
pub use schema::same_schema;
pub use server::{TestServer, serve};

/// A database of one test's own. Its service migrates it, as it would in production.
#[derive(Debug)]
pub struct TestDb {
    pub url: String,
    _dir: tempfile::TempDir,
}

/// A SQLite file in a temporary directory.
#[must_use]
pub fn sqlite() -> TestDb {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    TestDb { url, _dir: dir }
}

/// A schema of its own in this process's throw-away PostgreSQL; `None` ("skipped: …") where it is not installed.
pub async fn postgres() -> Option<TestDb> {
    let url = postgres::schema().await?;
    Some(TestDb { url, _dir: tempfile::tempdir().expect("a temporary directory") })
}

/// Says that a test is skipped, or fails where the environment demands that it runs (`LATCHKEY_REQUIRE=postgres,browser`).
pub fn skip(what: &str, why: &str) {
    let required = std::env::var("LATCHKEY_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|required| required.trim() == what),
        "{what} is required by LATCHKEY_REQUIRE, but {why}"
    );
    eprintln!("skipped: {why}");
}

/// Turns a test body into two tests: `name::sqlite` and `name::postgres`. The body gets a [`TestDb`].
#[macro_export]
macro_rules! on_each_database {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident) $body:block)*) => { $(
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing from around it")]
            use super::*;
            async fn run($db: $crate::testing::TestDb) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() { run($crate::testing::sqlite()).await }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                if let Some(db) = $crate::testing::postgres().await { run(db).await }
            }
        }
    )* };
}
