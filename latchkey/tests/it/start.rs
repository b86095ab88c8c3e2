//! Starting and stopping: what is printed, what is refused, and in how many words.

use std::{net::TcpListener, time::Duration};

use platform::on_each_database;

use crate::support::{Place, http};

on_each_database! {
    /// A second start finds the keys, the data and the web client again.
    async fn a_start_makes_everything_and_a_second_start_finds_it_again(db) {
        let place = Place::on(db).await;
        let node = place.start().await;
        let jwks = || async { http().get(format!("{}/jwks", place.idp)).send().await.unwrap().text().await.unwrap() };
        let first = jwks().await;
        let secret = place.add_machine("reports");
        let token = place.token("reports", &secret).await;

        let output = node.wait_for_output("Ctrl-C").await;
        for expected in [&place.idp, &place.api, &place.web] {
            assert!(output.contains(expected.as_str()), "{output}");
        }
        assert!(output.contains(&place.dir.path().join("keys").display().to_string()), "{output}");
        assert!(!output.contains("lks_"), "{output}");
        node.stop().await;

        let node = place.start().await;
        assert_eq!(jwks().await, first);
        place.token("reports", &secret).await;
        let tasks = http().get(format!("{}/api/me/tasks", place.api)).bearer_auth(token).send().await.unwrap();
        assert_eq!(tasks.status(), 200);
        let clients = place.run(&["client", "list"]).good().stdout;
        assert_eq!(clients.matches("latchkey-web").count(), 1, "{clients}");
        node.stop().await;
    }
}

#[tokio::test]
async fn what_it_says_tells_where_the_data_is_but_never_a_password() {
    let mut place = Place::new();
    place.set("WEB__DATABASE_URL", "postgres://latchkey:hush@127.0.0.1:1/web");
    let ran = place.run(&[]);
    let failure = ran.failure();
    assert_eq!(failure.len(), 1, "{failure:?}");
    assert!(!failure[0].contains("hush"), "{failure:?}");
}

#[test]
fn a_taken_port_is_one_sentence_and_status_1() {
    let mut place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    place.set("API__LISTEN", &address);
    let failure = place.run(&[]).failure();
    assert_eq!(failure.len(), 1, "{failure:?}");
    assert!(failure[0].contains(&address) && failure[0].contains("api.listen"), "{failure:?}");
    assert!(!place.dir.path().join("data").exists(), "nothing is made before every port is ours");
}

#[test]
fn a_directory_that_cannot_be_written_is_one_sentence_and_status_1() {
    for (name, key) in [("data", "IDP__DATABASE_URL"), ("keys", "IDP__KEYS_DIR")] {
        let mut place = Place::new();
        // A file where a directory should be: also root cannot write there.
        std::fs::write(place.dir.path().join("file"), "").unwrap();
        let inside = place.dir.path().join("file").join(name);
        let inside = inside.display();
        place.set(key, &if name == "data" { format!("sqlite:{inside}/idp.db") } else { inside.to_string() });
        let failure = place.run(&[]).failure();
        assert_eq!(failure.len(), 1, "{failure:?}");
        assert!(failure[0].contains("file"), "{failure:?}");
    }
}

#[tokio::test]
async fn sigterm_and_ctrl_c_let_requests_end_and_stop_in_time() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        let mut node = place.start().await;
        // An idle connection must not hold it up.
        let http = http();
        http.get(format!("{}/health/live", place.idp)).send().await.unwrap();
        node.signal(signal);
        let (status, took) = node.ended().await;
        assert!(status.success(), "{status}\n{}", node.log());
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(!node.log().contains("panicked"), "{}", node.log());
    }
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_stop_it_from_stopping() {
    use tokio::io::AsyncWriteExt;
    let place = Place::new();
    let mut node = place.start().await;
    let mut stuck = tokio::net::TcpStream::connect(place.idp.trim_start_matches("http://")).await.unwrap();
    stuck
        .write_all(b"POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    node.signal("TERM");
    let (status, took) = node.ended().await;
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_second_ctrl_c_stops_at_once() {
    use tokio::io::AsyncWriteExt;
    let place = Place::new();
    let mut node = place.start().await;
    let mut stuck = tokio::net::TcpStream::connect(place.idp.trim_start_matches("http://")).await.unwrap();
    stuck.write_all(b"POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    node.signal("INT");
    tokio::time::sleep(Duration::from_millis(300)).await;
    node.signal("INT");
    let (_, took) = node.ended().await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn one_service_alone_serves_only_itself() {
    let place = Place::new();
    let node = place.spawn(&["api", "--issuer", "https://issuer.example", "--audience", "tasks"]);
    node.wait_until_ready(&place.api).await;
    let output = node.wait_for_output("Data").await;
    assert!(output.contains("https://issuer.example") && output.contains("tasks"), "{output}");
    assert!(http().get(format!("{}/health/live", place.idp)).send().await.is_err());
    assert!(!place.dir.path().join("keys").exists(), "only the identity provider has keys");
    let metadata = format!("{}/.well-known/oauth-protected-resource", place.api);
    let metadata: serde_json::Value = http().get(metadata).send().await.unwrap().json().await.unwrap();
    assert_eq!(metadata["authorization_servers"][0], "https://issuer.example");
    node.stop().await;
}
