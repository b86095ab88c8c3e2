//! Any number of nodes with the same databases and the same keys are one Latchkey.

use platform::on_each_database;

use crate::support::{Place, free_port, http, token};

on_each_database! {
    /// Both migrate the databases, make keys and register the web client, at the same moment.
    async fn two_nodes_that_start_at_once_do_not_collide(db) {
        let mut place = Place::on(db).await;
        let a = place.spawn(&[]);
        let (issuer, api) = (place.idp.clone(), place.api.clone());
        let [idp_b, api_b, web_b] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        place.set("IDP__LISTEN", &idp_b);
        place.set("API__LISTEN", &api_b);
        place.set("WEB__LISTEN", &web_b);
        let b = place.spawn(&[]);
        let [idp_b, api_b, web_b] = [idp_b, api_b, web_b].map(|address| format!("http://{address}"));
        for url in [&issuer, &api, &place.web] {
            a.wait_until_ready(url).await;
        }
        for url in [&idp_b, &api_b, &web_b] {
            b.wait_until_ready(url).await;
        }

        let jwks = async |idp: &str| http().get(format!("{idp}/jwks")).send().await.unwrap().text().await.unwrap();
        assert_eq!(jwks(&issuer).await, jwks(&idp_b).await);

        // What one node was told, the other knows; what one signs, the other's API accepts.
        let secret = place.add_machine("reports");
        for (idp, api) in [(&issuer, &api_b), (&idp_b, &api)] {
            let token = token(idp, "reports", &secret).await;
            let tasks = format!("{api}/api/me/tasks");
            let made = http().post(&tasks).bearer_auth(&token).json(&serde_json::json!({ "title": "from both" }));
            assert_eq!(made.send().await.unwrap().status(), 201);
        }
        let token = token(&issuer, "reports", &secret).await;
        let list = http().get(format!("{api}/api/me/tasks")).bearer_auth(token).send().await.unwrap();
        assert_eq!(list.text().await.unwrap().matches("from both").count(), 2);

        a.stop().await;
        b.stop().await;
    }
}
