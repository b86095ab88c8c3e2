//! Power cuts, and one service without another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::on_each_database;
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::task::JoinSet;

use crate::{
    person::{App, Person},
    support::{Node, Place, http},
};

/// Writes tasks until the server is gone, and returns the URLs of those that it said it had stored.
async fn write_until_it_is_gone(place: &Place, token: &str, node: Node) -> Vec<String> {
    let mut writers = JoinSet::new();
    for writer in 0..16 {
        let (api, token, http) = (place.api.clone(), token.to_owned(), http());
        writers.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                let task = json!({ "title": format!("{writer}-{number}") });
                let request = http.post(format!("{api}/api/me/tasks")).bearer_auth(&token).json(&task);
                let Ok(response) = request.send().await else { break };
                assert_eq!(response.status(), 201);
                let location = response.headers()["location"].to_str().unwrap().to_owned();
                acknowledged.push(if location.starts_with('/') {
                    format!("{api}{location}")
                } else {
                    location
                });
            }
            acknowledged
        });
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    node.kill().await;
    writers.join_all().await.into_iter().flatten().collect()
}

/// What the identity provider said it had done for one person.
#[derive(Default)]
struct Promised {
    email: Option<String>,
    codes: Vec<String>,
    refresh_tokens: Vec<String>,
}

/// Signs people up and lets an app ask for codes and tokens of theirs, until the server is gone.
async fn sign_up_until_it_is_gone(place: &Place, app: &App, node: Node) -> Vec<Promised> {
    const ENOUGH: usize = 60;
    let mut people = JoinSet::new();
    let kept = Arc::new(AtomicUsize::new(0));
    for number in 0..8 {
        let (person, app, kept) = (Person::at(&place.idp), app.clone(), kept.clone());
        people.spawn(async move {
            let mut promised = Promised::default();
            let email = format!("person{number}@example.com");
            if person.sign_up(&email).await.is_err() {
                return promised;
            }
            promised.email = Some(email);
            while let Ok(code) = person.code(&app).await {
                if promised.codes.len() <= promised.refresh_tokens.len() {
                    promised.codes.push(code);
                } else {
                    let Ok(tokens) = app.redeem(&code).await else { break };
                    promised.refresh_tokens.push(tokens["refresh_token"].as_str().unwrap().to_owned());
                }
                kept.fetch_add(1, Ordering::Relaxed);
            }
            promised
        });
    }
    while kept.load(Ordering::Relaxed) < ENOUGH {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    node.kill().await;
    people.join_all().await
}

on_each_database! {
    async fn after_kill_9_in_the_middle_of_writes_nothing_that_was_acknowledged_is_lost(db) {
        let place = Place::on(db).await;
        let node = place.start().await;
        let secret = place.add_machine("reports");
        let token = place.token("reports", &secret).await;
        let acknowledged = write_until_it_is_gone(&place, &token, node).await;
        assert!(acknowledged.len() > 32, "only {} tasks were written", acknowledged.len());

        let node = place.start().await;
        assert!(!node.log().contains("ERROR"), "{}", node.log());
        let http = http();
        for task in &acknowledged {
            let found = http.get(task).bearer_auth(&token).send().await.unwrap();
            assert_eq!(found.status(), 200, "{task} was acknowledged and is lost");
        }
        place.token("reports", &secret).await;
        node.stop().await;

        for name in ["idp", "api", "web"] {
            let file = place.dir.path().join(format!("data/{name}.db"));
            if file.exists() {
                let mut database =
                    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&file)).await.unwrap();
                let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut database).await.unwrap();
                assert_eq!(verdict, "ok", "{name}");
            }
        }
    }
}

on_each_database! {
    async fn after_kill_9_accounts_codes_and_tokens_that_were_promised_are_good(db) {
        let mut place = Place::on(db).await;
        place.set("IDP__THROTTLE__PER_NETWORK", "1000000");
        let node = place.start().await;
        let app = App::register(&place);
        let promised = sign_up_until_it_is_gone(&place, &app, node).await;

        let node = place.start().await;
        let accounts = place.run(&["user", "list"]).good().stdout;
        let (mut codes, mut tokens) = (0, 0);
        for Promised { email, codes: unspent, refresh_tokens } in promised {
            if let Some(email) = email {
                assert!(accounts.contains(&email), "{email} is lost");
            }
            for code in unspent {
                app.redeem(&code).await.unwrap_or_else(|error| panic!("a code is lost: {error}"));
                codes += 1;
            }
            for token in refresh_tokens {
                app.refresh(&token).await.unwrap_or_else(|error| panic!("a refresh token is lost: {error}"));
                tokens += 1;
            }
        }
        assert!(codes > 16 && tokens > 16, "only {codes} codes and {tokens} refresh tokens");
        node.stop().await;
    }
}

#[tokio::test]
async fn while_the_identity_provider_is_down_the_api_serves_on() {
    let place = Place::new();
    let idp = place.spawn(&["idp"]);
    idp.wait_until_ready(&place.idp).await;
    let api = place.spawn(&["api"]);
    api.wait_until_ready(&place.api).await;
    let secret = place.add_machine("reports");
    let token = place.token("reports", &secret).await;
    let tasks = format!("{}/api/me/tasks", place.api);
    let status = async || http().get(&tasks).bearer_auth(&token).send().await.unwrap().status();
    assert_eq!(status().await, 200);

    idp.kill().await;
    assert_eq!(status().await, 200);
    // A key that nobody can be asked about is not trusted, and asking does not take long or break anything.
    let header =
        URL_SAFE_NO_PAD.encode(json!({"typ": "at+jwt", "alg": "RS256", "kid": "unknown"}).to_string());
    let (_, rest) = token.split_once('.').unwrap();
    let forged = http().get(&tasks).bearer_auth(format!("{header}.{rest}")).send();
    let forged = tokio::time::timeout(Duration::from_secs(6), forged).await.expect("asking has an end");
    assert_eq!(forged.unwrap().status(), 401);
    assert_eq!(status().await, 200);
    let ready = http().get(format!("{}/health/ready", place.api)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    api.stop().await;
}

#[tokio::test]
async fn the_api_and_the_web_ui_start_without_the_identity_provider_and_find_it_later() {
    let mut place = Place::new();
    let api = place.spawn(&["api"]);
    api.wait_until_ready(&place.api).await;
    std::fs::write(place.dir.path().join("web.secret"), "lks_not-yet-registered").unwrap();
    place.set("WEB__CLIENT_SECRET_FILE", "web.secret");
    let web = place.spawn(&["web"]);
    web.wait_until_ready(&place.web).await;

    let idp = place.spawn(&["idp"]);
    idp.wait_until_ready(&place.idp).await;
    let secret = place.add_machine("reports");
    let token = place.token("reports", &secret).await;
    // Until it has found the keys it says that it cannot tell, which is not "no".
    let tasks = format!("{}/api/me/tasks", place.api);
    let found = async {
        loop {
            let response = http().get(&tasks).bearer_auth(&token).send().await.unwrap();
            if response.status() == 200 {
                break;
            }
            assert_eq!(response.status(), 503);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found).await.expect("it looks again within seconds");
    let login = http().get(format!("{}/login", place.web)).send().await.unwrap();
    assert!(login.status().is_redirection(), "{}", login.status());
    assert!(login.headers()["location"].to_str().unwrap().starts_with(&place.idp));
}
