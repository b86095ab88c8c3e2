//! Why something was refused, by the reference that was shown.

use std::time::Duration;

use chrono::TimeDelta;
use idp::{
    admin::refusals::{Error, Explanation, explain},
    store,
};
use platform::{on_conn, on_each_database};
use reqwest::{Response, StatusCode};

use crate::fixture::{PASSWORD, TestIdp, redirect_uri};

/// A client, what it sends, and the error and the rule that it gets.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

fn reference(response: &Response) -> String {
    response.headers()["x-request-id"].to_str().unwrap().to_owned()
}

/// What is known of a refusal, once it is written.
async fn explained(idp: &TestIdp, reference: &str) -> Explanation {
    for _ in 0..200 {
        match explain(&idp.operator, reference).await {
            Err(Error::Unknown) => tokio::time::sleep(Duration::from_millis(25)).await,
            other => return other.unwrap(),
        }
    }
    panic!("nothing is known of {reference}");
}

async fn count(idp: &TestIdp) -> i64 {
    let mut conn = idp.db.read().await.unwrap();
    on_conn!(&mut conn, |conn| sqlx::query_scalar("SELECT count(*) FROM refusals").fetch_one(conn).await)
        .unwrap()
}

fn given<'a>(explanation: &'a Explanation, name: &str) -> Option<&'a str> {
    explanation.inputs.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}

on_each_database! {
    async fn a_refused_token_request_is_explained(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let (elsewhere, web) = (redirect_uri("other"), redirect_uri("web"));
        let code = alice.code("web", &[]).await;
        let old = alice.code("web", &[]).await;
        let code = |redirect_uri| [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", redirect_uri)];
        let machine = [("grant_type", "client_credentials")];
        let scope = [("grant_type", "client_credentials"), ("scope", "openid admin")];
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", "lkr_nonsense")];
        let cases: [Case<'_>; 8] = [
            ("web", &code(&elsewhere), "invalid_grant", "the redirect_uri is another than the code was sent to"),
            ("web", &code(&web), "invalid_grant", "code_verifier does not match code_challenge"),
            ("web", &machine, "unauthorized_client", "the client is not registered for this grant type"),
            ("nobody", &machine, "invalid_client", "the client is unknown or disabled"),
            ("spa", &refresh, "invalid_grant", "the refresh token is unknown"),
            ("robot", &scope, "invalid_scope", "more than this client may ask for"),
            ("robot", &[("grant_type", "password")], "unsupported_grant_type", "unsupported_grant_type"),
            ("robot", &[], "invalid_request", "grant_type is missing"),
        ];
        for (client, form, error, rule) in cases {
            let response = idp.token_request(client, form).send().await.unwrap();
            assert!(response.status().is_client_error(), "{rule}");
            let explanation = explained(&idp, &reference(&response)).await;
            assert_eq!((&*explanation.error, &*explanation.rule, &*explanation.route), (error, rule, "/token"));
            assert!(!explanation.advice.starts_with("Search"), "{rule}: {}", explanation.advice);
            assert_eq!(given(&explanation, "client_id"), Some(client), "{rule}");
            let known = explanation.client.map(|client| client.registered.is_some());
            assert_eq!(known, (client != "nobody").then_some(true), "{rule}");
        }

        let response = idp.token_request("web", &code(&elsewhere)).send().await.unwrap();
        let explanation = explained(&idp, &reference(&response)).await;
        assert_eq!(given(&explanation, "redirect_uri"), Some(&*elsewhere));
        assert_eq!(given(&explanation, "the code was sent to"), Some(&*web));
        assert_eq!(given(&explanation, "code"), Some("(sent)"));
        assert_eq!(explanation.user.as_deref(), Some("alice@example.com"));

        idp.clock.advance(TimeDelta::seconds(61));
        let verifier = [("code_verifier", crate::fixture::VERIFIER), ("code", &old)];
        let form = crate::fixture::changed(&code(&web), &verifier);
        let response = idp.token_request("web", &form).send().await.unwrap();
        let explanation = explained(&idp, &reference(&response)).await;
        assert!(explanation.rule.starts_with("the code has expired"), "{}", explanation.rule);
        let until = given(&explanation, "the code was good until").unwrap();
        assert!(until < &*idp.clock.now().format("%Y-%m-%d %H:%M:%S UTC").to_string(), "{until}");
    }

    async fn what_people_and_apps_are_refused_elsewhere_is_explained(db) {
        let idp = TestIdp::new(db).await;
        let alice = idp.signed_up("alice").await;
        let stranger = idp.browser();
        let none = [("prompt", "none")];
        let answers = [
            (alice.authorize("web", &[("redirect_uri", "https://evil.example/")]).await, "redirect_uri is not registered"),
            (alice.authorize("nobody", &[]).await, "the client is unknown or disabled"),
            (stranger.authorize("web", &none).await, "prompt=none, but the person would have to be asked"),
            (alice.authorize("web", &[("scope", "admin")]).await, "none of the scopes may be asked for by this client"),
            (alice.authorize("spa", &[("code_challenge", ""), ("code_challenge_method", "")]).await, "PKCE with S256 is required"),
            (alice.get("/authorize/resume?request=lkq_gone").await, "the pending authorization request is gone"),
            (idp.http.get(idp.at("/userinfo")).bearer_auth("nonsense").send().await.unwrap(), "it is not a JWT"),
            (idp.http.get(idp.at("/userinfo")).send().await.unwrap(), "no access token"),
            (idp.http.post(idp.at("/login")).form(&[("email", "x")]).send().await.unwrap(), "the form's token is missing or not this browser's"),
        ];
        for (response, rule) in answers {
            let explanation = explained(&idp, &reference(&response)).await;
            assert_eq!(explanation.rule, rule);
            assert!(!explanation.advice.starts_with("Search"), "{rule}");
        }
        let response = alice.authorize("web", &[("redirect_uri", "https://evil.example/")]).await;
        let shown = reference(&response);
        assert!(response.text().await.unwrap().contains(&shown), "people see the same reference");
        let explanation = explained(&idp, &shown).await;
        assert_eq!(given(&explanation, "redirect_uri"), Some("https://evil.example/"));
        let registered = explanation.client.unwrap().registered.unwrap();
        assert!(registered.client.redirect_uris.has(&redirect_uri("web")));
    }

    async fn a_log_in_that_is_refused_shows_a_reference(db) {
        let idp = TestIdp::new(db).await;
        idp.signed_up("alice").await;
        let wrong = idp.browser().log_in("/login", "alice", "something else").await;
        assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let shown = reference(&wrong);
        assert!(wrong.text().await.unwrap().contains(&format!("Reference: <code>{shown}</code>")));
        let explanation = explained(&idp, &shown).await;
        assert_eq!((&*explanation.error, &*explanation.rule), ("log-in", "password"));
        assert_eq!(explanation.user.as_deref(), Some("alice@example.com"));
        let unknown = idp.browser().log_in("/login", "nobody", PASSWORD).await;
        assert_eq!(explained(&idp, &reference(&unknown)).await.user, None);
        idp::admin::users::disable(&idp.operator, "alice@example.com", idp.clock.now()).await.unwrap();
        let disabled = idp.browser().log_in("/login", "alice", PASSWORD).await;
        assert_eq!(explained(&idp, &reference(&disabled)).await.rule, "disabled");
    }

    /// A flood fills neither the disk nor the request's way.
    async fn one_network_has_its_share_of_refusals(db) {
        let idp = TestIdp::new(db).await;
        let mut first = None;
        for _ in 0..80 {
            let response = idp.token_request("robot", &[]).send().await.unwrap();
            first.get_or_insert_with(|| reference(&response));
        }
        explained(&idp, &first.unwrap()).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(count(&idp).await, 30);
    }

    async fn refusals_are_kept_for_a_while_and_not_where_nobody_wants_them(db) {
        let idp = TestIdp::new(db).await;
        let response = idp.token_request("robot", &[]).send().await.unwrap();
        let shown = reference(&response);
        explained(&idp, &shown).await;
        store::sweep(&idp.db, idp.clock.now() + TimeDelta::days(13)).await.unwrap();
        explained(&idp, &shown).await;
        store::sweep(&idp.db, idp.clock.now() + TimeDelta::days(15)).await.unwrap();
        assert!(matches!(explain(&idp.operator, &shown).await, Err(Error::Unknown)));
        assert!(matches!(explain(&idp.operator, "nonsense").await, Err(Error::Reference)));

        let idp = idp.restarted(|config| config.refusals.retention = 0).await;
        idp.token_request("robot", &[]).send().await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(count(&idp).await, 0);
    }
}
