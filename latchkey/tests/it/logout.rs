//! Logging out at one place is logging out at the other (Back-Channel Logout 1.0).

use std::time::{Duration, Instant};

use platform::on_each_database;

use crate::{
    person::Person,
    support::{Place, http},
};

/// Whether the web UI shows this person their tasks.
async fn sees_tasks(place: &Place, person: &Person) -> bool {
    let page = http().get(format!("{}/tasks", place.web)).header("cookie", person.cookie_header());
    page.send().await.unwrap().status() == 200
}

async fn ends_within(place: &Place, person: &Person, patience: Duration) {
    let since = Instant::now();
    while sees_tasks(place, person).await {
        assert!(since.elapsed() < patience, "still logged in at the web UI");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn logged_in(place: &Place, email: &str) -> Person {
    let person = Person::at(&place.idp);
    person.sign_up(email).await.unwrap();
    let page = person.visit(&format!("{}/login", place.web)).await.unwrap();
    assert_eq!(page.url().as_str(), format!("{}/tasks", place.web));
    person
}

on_each_database! {
    async fn who_logs_out_at_the_identity_provider_is_logged_out_of_the_web_ui(db) {
        let place = Place::on(db).await;
        let node = place.start().await;
        let (ada, bob) = (logged_in(&place, "ada@example.com").await, logged_in(&place, "bob@example.com").await);
        assert!(sees_tasks(&place, &ada).await && sees_tasks(&place, &bob).await);
        ada.log_out().await.unwrap();
        ends_within(&place, &ada, Duration::from_secs(1)).await;

        assert!(sees_tasks(&place, &bob).await);
        place.run(&["user", "disable", "bob@example.com"]).good();
        ends_within(&place, &bob, Duration::from_secs(5)).await;
        node.stop().await;
    }

    /// What is owed outlives the node that owed it.
    async fn who_logs_out_while_the_web_ui_is_down_is_logged_out_when_it_comes_back(db) {
        let place = Place::on(db).await;
        let node = place.start().await;
        let ada = logged_in(&place, "ada@example.com").await;
        node.stop().await;
        place.run(&["user", "disable", "ada@example.com"]).good();
        let node = place.start().await;
        ends_within(&place, &ada, Duration::from_secs(5)).await;
        node.stop().await;
    }

    /// The exception that is made for the web UI is for nobody else on this machine.
    async fn no_other_app_on_this_machine_is_called(db) {
        let place = Place::on(db).await;
        let uri = format!("{}/jwks", place.idp);
        let add = ["client", "add", "spy", "--grant-type", "client_credentials", "--jwks-uri", &uri];
        place.run(&[&add[..], &["--scope", "tasks:read"]].concat()).good();
        let node = place.start().await;
        let assertion = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJzcHkiLCJzdWIiOiJzcHkiLCJhdWQiOiJ4IiwiZXhwIjoxLCJqdGkiOiJ4In0.AAAA";
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let form = [("grant_type", "client_credentials"), ("client_assertion_type", kind), ("client_assertion", assertion)];
        let answer = http().post(format!("{}/token", place.idp)).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(node.log().contains("an address that is not public"), "{}", node.log());
        node.stop().await;
    }
}
