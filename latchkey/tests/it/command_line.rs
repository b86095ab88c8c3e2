//! What operators do.

use platform::on_each_database;

use crate::support::{Place, http};

const PASSWORD: &str = "correct horse battery staple";

#[test]
fn help_and_version_need_no_configuration() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("latchkey.toml"), "nonsense").unwrap();
    for args in [&["--help"][..], &["--version"], &["api", "--help"], &["client", "add", "--help"]] {
        assert!(!place.run(args).good().stdout.is_empty());
    }
}

on_each_database! {
    async fn users_are_added_listed_disabled_and_given_passwords(db) {
        let place = Place::on(db).await;
        let add = ["user", "add", "Ada@Example.com", "--name", "Ada Lovelace"];
        let added = place.run_with_input(&add, &format!("{PASSWORD}\n")).good().stdout;
        assert!(added.contains("Ada@Example.com") && !added.contains(PASSWORD), "{added}");

        let again = place.run_with_input(&add, &format!("{PASSWORD}\n")).failure();
        assert_eq!(again.len(), 1, "{again:?}");
        let weak = ["user", "add", "bob@example.com", "--name", "Bob"];
        assert_eq!(place.run_with_input(&weak, "short\n").failure().len(), 1);
        assert_eq!(place.run_with_input(&weak, "").failure().len(), 1);
        let leaked = place.run_with_input(&weak, "Password1\n").failure();
        assert!(leaked.len() == 1 && leaked[0].contains("leaked"), "{leaked:?}");
        assert_eq!(place.run_with_input(&["user", "add", "nobody", "--name", "N"], PASSWORD).failure().len(), 1);

        let list = || place.run(&["user", "list"]).good().stdout;
        assert!(list().contains("Ada Lovelace") && !list().contains("bob@"), "{}", list());
        place.run(&["user", "disable", "ada@example.com"]).good();
        assert!(list().contains("disabled"), "{}", list());
        place.run(&["user", "enable", "ada@example.com"]).good();
        assert!(!list().contains("disabled"), "{}", list());
        place.run_with_input(&["user", "set-password", "ada@example.com"], "another long enough one\n").good();
        let reset = place.run(&["user", "reset-second-factors", "ada@example.com"]).good().stdout;
        assert!(reset.contains("has no second factor"), "{reset}");
        place.run(&["user", "delete", "ada@example.com"]).good();
        assert!(list().contains("goes ") && list().contains("Ada Lovelace"), "{}", list());
        place.run(&["user", "enable", "ada@example.com"]).good();
        assert!(list().contains("active"), "{}", list());
        place.run(&["user", "delete", "ada@example.com", "--now"]).good();
        assert!(!list().contains("Ada Lovelace"), "{}", list());
        for args in [
            &["user", "disable", "x@example.com"][..],
            &["user", "enable", "x@example.com"],
            &["user", "reset-second-factors", "x@example.com"],
            &["user", "delete", "x@example.com"],
            &["user", "delete", "x@example.com", "--now"],
        ] {
            assert_eq!(place.run(args).failure().len(), 1);
        }
        assert_eq!(place.run_with_input(&["user", "set-password", "x@example.com"], PASSWORD).failure().len(), 1);
    }

    async fn clients_are_added_shown_and_removed_while_the_server_runs(db) {
        let place = Place::on(db).await;
        let node = place.start().await;
        let added = place
            .run(&[
                "client", "add", "shop", "--name", "The Shop", "--redirect-uri", "https://shop.example/callback",
                "--grant-type", "authorization_code", "--grant-type", "client_credentials", "--scope", "openid tasks:read",
                "--require-second-factor",
            ])
            .good();
        let secret = added.value("client_secret");
        assert!(secret.starts_with("lks_"), "{}", added.stdout);

        let shown = place.run(&["client", "show", "shop"]).good().stdout;
        for expected in ["The Shop", "https://shop.example/callback", "openid tasks:read", "client_secret_basic"] {
            assert!(shown.contains(expected), "no {expected} in {shown}");
        }
        assert!(!shown.contains(&secret), "a secret is printed once");
        let demands = shown.lines().find(|line| line.starts_with("require_second_factor")).unwrap();
        assert!(demands.ends_with("yes"), "{demands}");
        assert!(place.run(&["client", "list"]).good().stdout.contains("shop"));
        assert_eq!(place.run(&["client", "add", "shop", "--redirect-uri", "https://x.example/"]).failure().len(), 1);

        let ask = async || {
            let form = [("grant_type", "client_credentials"), ("scope", "tasks:read")];
            let request = http().post(format!("{}/token", place.idp)).basic_auth("shop", Some(&secret)).form(&form);
            request.send().await.unwrap().status()
        };
        assert_eq!(ask().await, 200);
        place.run(&["client", "disable", "shop"]).good();
        assert!(place.run(&["client", "list"]).good().stdout.lines().any(|line| line.starts_with("shop") && line.contains("disabled")));
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(ask().await, 401);
        place.run(&["client", "enable", "shop"]).good();
        assert_eq!(ask().await, 200);
        for action in ["disable", "enable", "remove"] {
            assert_eq!(place.run(&["client", action, "latchkey-web"]).failure().len(), 1, "{action}");
            assert_eq!(place.run(&["client", action, "nobody"]).failure().len(), 1, "{action}");
        }
        place.run(&["client", "remove", "shop"]).good();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(ask().await, 401);
        assert_eq!(place.run(&["client", "remove", "shop"]).failure().len(), 1);
        assert_eq!(place.run(&["client", "show", "shop"]).failure().len(), 1);
        node.stop().await;
    }

    async fn an_app_registers_itself_with_the_operators_token(db) {
        let place = Place::on(db).await;
        let node = place.start().await;
        let made = place.run(&["client", "registration-token", "--expires", "1h"]).good();
        let (token, endpoint) = (made.value("initial_access_token"), made.value("registration_endpoint"));
        assert!(token.starts_with("lki_") && made.stdout.contains("one app"), "{}", made.stdout);
        let register = async || {
            let metadata = serde_json::json!({"redirect_uris": ["https://app.example/cb"], "client_name": "App"});
            http().post(&endpoint).bearer_auth(&token).json(&metadata).send().await.unwrap()
        };
        let answer = register().await;
        assert_eq!(answer.status(), 201);
        let client: serde_json::Value = answer.json().await.unwrap();
        let id = client["client_id"].as_str().unwrap();
        assert_eq!(register().await.status(), 401);
        let list = place.run(&["client", "list"]).good().stdout;
        assert!(list.lines().any(|line| line.starts_with(id) && line.ends_with("registration")), "{list}");
        place.run(&["client", "remove", id]).good();
        for wrong in ["0s", "7", "d", "1w", "99999d", "-1d"] {
            assert_eq!(place.command(["client", "registration-token", "--expires", wrong]).output().unwrap().status.code(), Some(2));
        }
        node.stop().await;
    }

    async fn a_public_client_has_no_secret(db) {
        let place = Place::on(db).await;
        let added = place.run(&["client", "add", "app", "--public", "--redirect-uri", "http://127.0.0.1/callback"]).good().stdout;
        assert!(!added.contains("lks_"), "{added}");
        let wrong = place.run(&["client", "add", "bad", "--public", "--redirect-uri", "javascript:alert(1)"]).failure();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
    }
}

#[test]
fn keys_are_listed_and_rotated() {
    let place = Place::new();
    let first = place.run(&["keys", "list"]).good().stdout;
    assert_eq!(first.matches("signs").count(), 4, "one for each algorithm: {first}");
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        assert_eq!(first.matches(algorithm).count(), 1, "{first}");
    }
    let rotated = place.run(&["keys", "rotate"]).good().stdout;
    assert!(rotated.contains("next") && rotated.contains("signs"), "{rotated}");
    let replaced = place.run(&["keys", "rotate", "--now"]).good().stdout;
    assert!(!replaced.contains("next") && !replaced.contains("verifies"), "{replaced}");
}
