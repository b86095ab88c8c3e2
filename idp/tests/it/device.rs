//! Device Authorization Grant, RFC 8628: the device's side.

use chrono::TimeDelta;
use idp::{
    Config, admin,
    config::ClientConfig,
    store::{ClientId, SessionId, device_authorizations, sweep},
};
use platform::{on_each_database, secret::SecretHash, testing::TestDb};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::fixture::{
    API, Browser, SECRET, TestIdp, answer, changed, claims, clients, location, redirected, refused,
};
use crate::{dpop::proof, signer::Key};

const GRANT_TYPE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");

/// `tv` is public and asks for consent; `console` is confidential and first-party.
pub async fn idp_with_devices(db: TestDb) -> TestIdp {
    idp_with_devices_and(db, |_| {}).await
}

async fn idp_with_devices_and(db: TestDb, change: impl FnOnce(&mut Config)) -> TestIdp {
    TestIdp::with(db, |config| {
        change(config);
        let grants = ["authorization_code", "refresh_token", GRANT_TYPE.1].map(str::to_owned).to_vec();
        let clients = clients();
        let like = |client: &str, id: &str| ClientConfig {
            client_id: id.to_owned(),
            name: format!("The {id}"),
            grant_types: Some(grants.clone()),
            ..clients.iter().find(|known| known.client_id == client).unwrap().clone()
        };
        config.clients.push(ClientConfig {
            first_party: false,
            redirect_uris: vec!["https://tv.example/cb".to_owned()],
            ..like("spa", "tv")
        });
        config.clients.push(like("web", "console"));
    })
    .await
}

impl TestIdp {
    fn ask(&self, client: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        self.authenticated("/device_authorization", client, fields)
    }

    /// What a device is told that asks for `scope`.
    pub async fn device(&self, client: &str, scope: &str) -> Value {
        let (status, body) = answer(self.ask(client, &[("scope", scope)])).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    fn polling(&self, client: &str, device: &Value) -> RequestBuilder {
        let device_code = ("device_code", device["device_code"].as_str().unwrap());
        self.token_request(client, &[GRANT_TYPE, device_code])
    }

    pub async fn poll(&self, client: &str, device: &Value) -> (StatusCode, Value) {
        answer(self.polling(client, device)).await
    }
}

impl Browser<'_> {
    /// Enters the code of a device, and decides.
    pub async fn decide(&self, device: &Value, decision: &str) -> StatusCode {
        let code = device["user_code"].as_str().unwrap();
        let entered = self.post("/device", &[("code", code)]).await;
        let page = self.get(&location(&entered)).await;
        self.submit(page, &[("decision", decision)]).await.status()
    }
}

on_each_database! {
    async fn a_device_gets_tokens_once_a_person_has_allowed_it(db) {
        let idp = idp_with_devices(db).await;
        let alice = idp.signed_up("alice").await;
        let asked = idp.ask("tv", &[("scope", "openid email offline_access admin tasks:read")]).send().await.unwrap();
        assert_eq!(asked.headers()["cache-control"], "no-store");
        let device: Value = asked.json().await.unwrap();
        let user_code = device["user_code"].as_str().unwrap();
        assert!(device["device_code"].as_str().unwrap().starts_with("lkd_"));
        assert_eq!((user_code.len(), &device["expires_in"], &device["interval"]), (9, &json!(600), &json!(5)));
        assert_eq!(device["verification_uri"], idp.at("/device"));
        assert_eq!(device["verification_uri_complete"], idp.at(&format!("/device?user_code={user_code}")));
        assert_eq!(idp.poll("tv", &device).await, refused("authorization_pending"));

        assert_eq!(alice.decide(&device, "allow").await, StatusCode::OK);
        let (status, tokens) = idp.poll("tv", &device).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        assert_eq!(tokens["scope"], "email offline_access openid tasks:read");
        let (access, id) = (claims(&tokens["access_token"]), claims(&tokens["id_token"]));
        assert_eq!((&access["client_id"], &access["aud"]), (&json!("tv"), &json!(API)));
        assert_eq!((&id["aud"], &id["sub"], &id["sid"]), (&json!(["tv"]), &access["sub"], &access["sid"]));
        assert_eq!(idp.userinfo(&tokens["access_token"]).await.1["email"], "alice@example.com");
        assert_eq!(idp.poll("tv", &device).await, refused("invalid_grant"), "it is good once");

        let (status, refreshed) = idp.refresh("tv", &tokens["refresh_token"]).await;
        assert_eq!(status, StatusCode::OK, "{refreshed}");
        let form = [("token", refreshed["refresh_token"].as_str().unwrap())];
        assert_eq!(answer(idp.authenticated("/revoke", "tv", &form)).await.0, StatusCode::OK);
        assert_eq!(idp.userinfo(&refreshed["access_token"]).await.0, StatusCode::UNAUTHORIZED);
    }

    /// What was allowed on a device need not be asked for again, and the other way round changes nothing:
    /// only the person knows whose device it is.
    async fn consent_is_remembered_but_every_device_is_asked_about(db) {
        let idp = idp_with_devices(db).await;
        let alice = idp.signed_up("alice").await;
        let scope = [("scope", "openid tasks:read")];
        assert!(location(&alice.authorize("tv", &scope).await).starts_with("/consent"));
        assert_eq!(alice.decide(&idp.device("tv", "openid tasks:read").await, "allow").await, StatusCode::OK);
        assert!(redirected(&alice.authorize("tv", &scope).await).1.contains_key("code"));
        for client in ["tv", "console"] {
            let device = idp.device(client, "openid tasks:read").await;
            assert_eq!(idp.poll(client, &device).await, refused("authorization_pending"), "{client}");
            let complete = device["verification_uri_complete"].as_str().unwrap();
            assert_eq!(alice.get(complete).await.status(), StatusCode::OK, "a link decides nothing");
            let confirm = complete.replace("/device?", "/device/confirm?");
            assert!(location(&alice.get(&confirm).await).starts_with("/device?user_code="));
            let decided = [("user_code", device["user_code"].as_str().unwrap()), ("decision", "allow")];
            let decided = alice.post("/device/confirm", &decided).await;
            assert_eq!(decided.status(), StatusCode::BAD_REQUEST, "nor does a code that was not entered");
            idp.clock.advance(TimeDelta::seconds(5));
            assert_eq!(idp.poll(client, &device).await, refused("authorization_pending"), "{client}");
        }
    }

    /// RFC 8628 §3.5.
    async fn who_polls_too_soon_has_to_wait_longer_from_then_on(db) {
        let idp = idp_with_devices(db).await;
        let device = idp.device("tv", "openid").await;
        let polls = [
            (0, "authorization_pending"), (4, "slow_down"), (9, "slow_down"), (14, "slow_down"),
            (20, "authorization_pending"), (19, "slow_down"), (25, "authorization_pending"),
        ];
        for (after, expected) in polls {
            idp.clock.advance(TimeDelta::seconds(after));
            assert_eq!(idp.poll("tv", &device).await, refused(expected), "after {after} s");
        }
        idp.signed_up("alice").await.decide(&device, "allow").await;
        assert_eq!(idp.poll("tv", &device).await.0, StatusCode::OK, "nobody waits for what is there");
    }

    async fn a_person_who_refuses_is_believed(db) {
        let idp = idp_with_devices(db).await;
        let device = idp.device("tv", "openid").await;
        let alice = idp.signed_up("alice").await;
        assert_eq!(alice.decide(&device, "deny").await, StatusCode::OK);
        for _ in 0..2 {
            assert_eq!(idp.poll("tv", &device).await, refused("access_denied"));
        }
        let again = alice.post("/device", &[("code", device["user_code"].as_str().unwrap())]).await;
        assert_eq!(again.status(), StatusCode::UNPROCESSABLE_ENTITY, "decided once and for all");
        assert!(location(&alice.authorize("tv", &[]).await).starts_with("/consent"), "nothing is remembered");
    }

    async fn nobody_decides_after_the_code_has_expired(db) {
        let idp = idp_with_devices(db).await;
        let alice = idp.signed_up("alice").await;
        let [late, allowed, entered] = [
            idp.device("tv", "openid").await, idp.device("tv", "openid").await, idp.device("tv", "openid").await,
        ];
        alice.decide(&allowed, "allow").await;
        let page = alice.post("/device", &[("code", entered["user_code"].as_str().unwrap())]).await;
        let page = alice.get(&location(&page)).await;
        idp.clock.advance(TimeDelta::seconds(600));
        for device in [&late, &allowed, &entered] {
            assert_eq!(idp.poll("tv", device).await, refused("expired_token"));
        }
        let answer = alice.post("/device", &[("code", late["user_code"].as_str().unwrap())]).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(alice.submit(page, &[("decision", "allow")]).await.status(), StatusCode::BAD_REQUEST);
        sweep(&idp.db, idp.clock.now() + TimeDelta::hours(2)).await.unwrap();
        assert_eq!(idp.poll("tv", &late).await, refused("invalid_grant"), "it is not even remembered");
    }

    async fn a_device_code_is_good_for_nothing_but_its_purpose(db) {
        let idp = idp_with_devices(db).await;
        let device = idp.device("tv", "openid").await;
        idp.signed_up("alice").await.decide(&device, "allow").await;
        let device_code = device["device_code"].as_str().unwrap();
        let good = [GRANT_TYPE, ("device_code", device_code)];
        let user_code = device["user_code"].as_str().unwrap();
        for (client, change, error) in [
            ("console", ("x", ""), "invalid_grant"),
            ("web", ("x", ""), "unauthorized_client"),
            ("tv", ("device_code", ""), "invalid_request"),
            ("tv", ("device_code", user_code), "invalid_grant"),
            ("tv", ("device_code", "lkd_unknown"), "invalid_grant"),
            ("tv", ("client_secret", SECRET), "invalid_client"),
            ("tv", ("grant_type", "device_code"), "unsupported_grant_type"),
            ("tv", ("resource", "https://files.example"), "invalid_target"),
        ] {
            let form = changed(&good, &[change]);
            assert_eq!(answer(idp.token_request(client, &form)).await, refused(error), "{client} {change:?}");
        }
        let code = [("grant_type", "authorization_code"), ("code", device_code), ("redirect_uri", "https://tv.example/cb")];
        assert_eq!(answer(idp.token_request("tv", &code)).await, refused("invalid_grant"));
        assert_eq!(idp.poll("tv", &device).await.0, StatusCode::OK, "none of this has used it up");
    }

    async fn a_device_cannot_ask_for_what_its_client_may_not(db) {
        let idp = idp_with_devices(db).await;
        let post = || idp.http.post(idp.at("/device_authorization"));
        let wrong = [
            (idp.ask("web", &[]), "unauthorized_client"),
            (idp.ask("nobody", &[]), "invalid_client"),
            (post().basic_auth("console", Some("wrong")), "invalid_request"),
            (post().basic_auth("console", Some("wrong")).form(&[("scope", "openid")]), "invalid_client"),
            (post().form(&[("client_id", "console")]), "invalid_client"),
            (post().form(&[("scope", "openid")]), "invalid_client"),
            (post().form(&[("client_id", "tv"), ("client_id", "tv")]), "invalid_request"),
            (post().json(&json!({"client_id": "tv"})), "invalid_request"),
            (idp.ask("tv", &[("scope", "admin")]), "invalid_scope"),
            (idp.ask("tv", &[("scope", "openid \u{7f}")]), "invalid_scope"),
            (idp.ask("tv", &[("scope", "openid"), ("scope", "openid")]), "invalid_request"),
            (idp.ask("tv", &[("resource", "https://elsewhere.example")]), "invalid_target"),
        ];
        for (index, (request, error)) in wrong.into_iter().enumerate() {
            assert_eq!(answer(request).await, refused(error), "case {index}");
        }
        let (_, all) = answer(idp.ask("tv", &[("resource", "https://files.example")])).await;
        idp.signed_up("alice").await.decide(&all, "allow").await;
        let (_, tokens) = idp.poll("tv", &all).await;
        assert_eq!(tokens["scope"], "email offline_access openid profile tasks:read tasks:write", "all that it may");
        assert_eq!(claims(&tokens["access_token"])["aud"], "https://files.example");
    }

    async fn of_50_parallel_polls_exactly_one_gets_the_tokens(db) {
        let idp = idp_with_devices(db).await;
        let device = idp.device("tv", "openid").await;
        idp.signed_up("alice").await.decide(&device, "allow").await;
        let racers: Vec<_> = (0..50).map(|_| tokio::spawn(idp.polling("tv", &device).send())).collect();
        let mut wins = 0;
        for racer in racers {
            let answer = racer.await.unwrap().unwrap();
            match answer.status() {
                StatusCode::OK => wins += 1,
                _ => assert_eq!(answer.json::<Value>().await.unwrap(), json!({"error": "invalid_grant"})),
            }
        }
        assert_eq!(wins, 1);
    }

    /// Parallel polls of one device before anybody decided: one is in time.
    async fn of_50_parallel_polls_all_but_one_are_too_soon(db) {
        let idp = idp_with_devices(db).await;
        let device = idp.device("tv", "openid").await;
        let racers: Vec<_> = (0..50).map(|_| tokio::spawn(answer(idp.polling("tv", &device)))).collect();
        let mut in_time = 0;
        for racer in racers {
            let answer = racer.await.unwrap();
            if answer == refused("authorization_pending") {
                in_time += 1;
            } else {
                assert_eq!(answer, refused("slow_down"));
            }
        }
        assert_eq!(in_time, 1);
        idp.clock.advance(TimeDelta::seconds(5 + 49 * 5 - 1));
        assert_eq!(idp.poll("tv", &device).await, refused("slow_down"), "each of them counted");
    }

    async fn of_50_parallel_answers_exactly_one_counts(db) {
        let idp = idp_with_devices(db).await;
        let alice = idp.signed_up("alice").await;
        let device = idp.device("tv", "openid").await;
        let user_code = device["user_code"].as_str().unwrap();
        alice.post("/device", &[("code", user_code)]).await;
        let token = alice.form_token().await;
        let racers: Vec<_> = (0..50).map(|index| {
            let decision = if index % 2 == 0 { "allow" } else { "deny" };
            let form = [("form_token", token.as_str()), ("user_code", user_code), ("decision", decision)];
            let request = idp.http.post(idp.at("/device/confirm")).form(&form).header("cookie", alice.cookies.header());
            tokio::spawn(async move { (decision, request.send().await.unwrap().status()) })
        }).collect();
        let mut counted = Vec::new();
        for racer in racers {
            let (decision, status) = racer.await.unwrap();
            if status == StatusCode::OK {
                counted.push(decision);
            } else {
                assert_eq!(status, StatusCode::BAD_REQUEST);
            }
        }
        assert_eq!(counted.len(), 1);
        let (status, _) = idp.poll("tv", &device).await;
        assert_eq!(status == StatusCode::OK, counted == ["allow"]);
    }

    /// RFC 9449 §5.
    async fn a_device_can_bind_its_tokens_to_a_key(db) {
        let idp = idp_with_devices(db).await;
        let device = idp.device("tv", "openid offline_access").await;
        idp.signed_up("alice").await.decide(&device, "allow").await;
        let proof = proof(&idp, &Key::generate("ES256"), "POST", "/token", &json!({}));
        let (_, tokens) = answer(idp.polling("tv", &device).header("dpop", proof)).await;
        assert_eq!((&tokens["token_type"], claims(&tokens["access_token"])["cnf"].is_object()), (&json!("DPoP"), true));
        assert_eq!(idp.refresh("tv", &tokens["refresh_token"]).await, refused("invalid_grant"), "without the key");
    }

    async fn what_was_allowed_ends_with_its_session_its_user_and_its_client(db) {
        let idp = idp_with_devices(db).await;
        let alice = idp.signed_up("alice").await;
        let [first, second] = [idp.device("console", "openid").await, idp.device("console", "openid").await];
        alice.decide(&first, "allow").await;
        alice.decide(&second, "allow").await;
        let (_, tokens) = idp.poll("console", &first).await;
        assert!(idp.is_active("console", &tokens["access_token"]).await && tokens["refresh_token"].is_string());
        alice.post("/logout/confirm", &[]).await;
        assert!(!idp.is_active("console", &tokens["access_token"]).await);
        assert_eq!(idp.refresh("console", &tokens["refresh_token"]).await, refused("invalid_grant"));
        assert_eq!(idp.poll("console", &second).await, refused("invalid_grant"), "allowed, and not fetched in time");

        let (bob, device) = (idp.signed_up("bob").await, idp.device("console", "openid").await);
        bob.decide(&device, "allow").await;
        admin::users::disable(&idp.operator, "bob@example.com", idp.clock.now()).await.unwrap();
        assert_eq!(idp.poll("console", &device).await, refused("invalid_grant"));
    }

    /// A code that is taken is not given again, and codes of nobody's session are nobody's.
    /// What anybody may ask for that names a public client is counted; the others have said who they are.
    async fn one_network_cannot_let_devices_wait_without_end(db) {
        let idp = idp_with_devices_and(db, |config| config.throttle.per_network = 2).await;
        for _ in 0..8 {
            idp.device("tv", "openid").await;
        }
        let refused = idp.ask("tv", &[]).send().await.unwrap();
        assert_eq!((refused.status(), &refused.headers()["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap()));
        assert_eq!(refused.json::<Value>().await.unwrap(), json!({"error": "temporarily_unavailable"}));
        idp.device("console", "openid").await;
        idp.clock.advance(TimeDelta::seconds(1));
        idp.device("tv", "openid").await;
        let (status, _) = answer(idp.ask("tv", &[])).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    }

    async fn user_codes_are_unique(db) {
        let idp = idp_with_devices(db).await;
        let now = idp.clock.now();
        let row = device_authorizations::DeviceAuthorization {
            client_id: ClientId("tv".to_owned()),
            scope: "openid".to_owned(),
            audience: String::new(),
            address: "192.0.2.1".to_owned(),
            created_at: now,
            expires_at: now + TimeDelta::minutes(10),
        };
        let user_code = SecretHash::of("user code");
        let mut tx = idp.db.write().await.unwrap();
        for (device_code, fits) in [("one", true), ("two", false)] {
            let device_code = SecretHash::of(device_code);
            let inserted = device_authorizations::insert(&mut tx, &device_code, &user_code, &row, TimeDelta::seconds(5));
            assert_eq!(inserted.await.unwrap(), fits);
        }
        let found = device_authorizations::find(&mut tx, &user_code, SessionId::new(), now).await.unwrap();
        assert!(found.is_none());
    }
}
