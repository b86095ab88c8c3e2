//! Not a test of anything: a server with twenty tasks, for a load tool to measure.
//!
//! `cargo test --release -p api --test it -- --ignored --nocapture served_for_a_minute`, then
//! `wrk -c 32 -t 1 -d 10 -H "Authorization: Bearer <token>" <url>/api/me/tasks`.

use std::time::Duration;

use serde_json::json;

use crate::support::TestApi;

#[tokio::test]
#[ignore = "a server to be measured by hand"]
#[expect(clippy::print_stdout, reason = "says what to measure")]
async fn served_for_a_minute() {
    let api = TestApi::new(platform::testing::sqlite()).await;
    for n in 1..=20 {
        api.create(json!({"title": format!("Task number {n}"), "description": "Something to be done soon"}))
            .await;
    }
    println!("url {}\ntoken {}", api.url, api.token);
    tokio::time::sleep(Duration::from_secs(60)).await;
}
