//! What an operator finds in the log afterwards, and what nobody may find there.

use crate::support::{Place, http};

/// A full disk, or a collector that is gone, is no reason to serve nobody.
#[tokio::test]
async fn a_log_that_cannot_be_written_stops_nothing() {
    let place = Place::new();
    let node = place.spawn_with_log(std::fs::File::options().write(true).open("/dev/full").unwrap());
    for (url, path) in [(&place.idp, "/jwks"), (&place.api, "/health/ready"), (&place.web, "/")] {
        node.wait_until_ready(url).await;
        for _ in 0..3 {
            assert_eq!(http().get(format!("{url}{path}")).send().await.unwrap().status(), 200, "{url}{path}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn reaching_for_the_tasks_of_somebody_else_leaves_a_warning_that_names_both() {
    let place = Place::new();
    let node = place.start().await;
    let secret = place.add_machine("reports");
    let token = place.token("reports", &secret).await;
    let others = format!("{}/api/somebody-else/tasks", place.api);
    let refused = http().get(others).bearer_auth(&token).send().await.unwrap();
    assert_eq!(refused.status(), 403);

    let log = node.log();
    let warning = log.lines().find(|line| line.contains("refused cross-user access"));
    let warning: serde_json::Value = serde_json::from_str(warning.expect("a warning")).unwrap();
    assert_eq!(
        (&warning["level"], &warning["user.id"], &warning["asked"]),
        (&"WARN".into(), &"reports".into(), &"somebody-else".into()),
    );
    assert!(!log.contains(&token) && !log.contains(&secret), "a credential is in the log");
    node.stop().await;
}
