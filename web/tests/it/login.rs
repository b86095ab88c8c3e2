//! Logging in (OpenID Connect Core 1.0 §3.1, RFC 9207).

use futures_util::future::join_all;
use platform::on_each_database;

use crate::{fake_provider::Fault, world::World};

on_each_database! {
    async fn a_visit_to_a_protected_page_goes_through_login_and_comes_back_to_that_page(db) {
        let world = World::new(db).await;
        let browser = world.browser();
        let sent_away = browser.get("/tasks?filter=open&q=a%26b").await;
        sent_away.leads_to("/login?return_to=%2Ftasks%3Ffilter%3Dopen%26q%3Da%2526b");
        browser.log_in(&sent_away.location).await.leads_to("/tasks?filter=open&q=a%26b");
        browser.get("/tasks?filter=open&q=a%26b").await.is(200).shows("Alice &#60;A&#62;");
    }

    async fn the_authorization_request_has_all_that_it_must(db) {
        let world = World::new(db).await;
        world.browser().until_callback("/signup").await;
        let asked = world.op.state.known().asked.clone();
        let public_url = &world.config.public_url;
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "latchkey-web"),
            ("redirect_uri", &format!("{public_url}/callback")),
            ("scope", "openid profile email tasks:read tasks:write"),
            ("code_challenge_method", "S256"),
            ("resource", &world.api.url),
            ("prompt", "create"),
        ] {
            assert_eq!(asked[name], value, "{name}");
        }
        for random in ["state", "nonce", "code_challenge"] {
            assert_eq!(asked[random].len(), 43, "{random}");
        }
        world.browser().until_callback("/login").await;
        assert!(!world.op.state.known().asked.contains_key("prompt"));
    }

    /// OpenID Connect Core §4: by GET and by POST, for our own provider only, and to a page of ours only.
    async fn others_can_ask_for_a_log_in(db) {
        let world = World::new(db).await;
        let (here, issuer) = (&world.config.public_url, &world.op.url);
        let begin = |fields: &[(&str, &str)]| format!("/login?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish());
        let target = format!("{here}/tasks?filter=open");
        let wanted = [("iss", issuer.as_str()), ("login_hint", "ada@example.com"), ("target_link_uri", &target)];
        let browser = world.browser();
        browser.log_in(&begin(&wanted)).await.leads_to("/tasks?filter=open");
        assert_eq!(world.op.state.known().asked["login_hint"], "ada@example.com");
        let elsewhere = [("iss", issuer.as_str()), ("target_link_uri", "https://evil.example/tasks")];
        world.browser().log_in(&begin(&elsewhere)).await.leads_to("/tasks");
        let beside = format!("{here}.evil.example/tasks");
        world.browser().log_in(&begin(&[("target_link_uri", &beside)])).await.leads_to("/tasks");
        world.browser().get(&begin(&[("iss", "https://evil.example")])).await.is(400).shows("This log-in cannot be finished");
    }

    /// Core §4. A post of another site comes without cookies, and what follows it with them.
    async fn a_log_in_that_another_site_asks_for_by_post_is_finished(db) {
        let world = World::new(db).await;
        let target = format!("{}/tasks?q=a%26b", world.config.public_url);
        let wanted = [("iss", world.op.url.as_str()), ("login_hint", "ada+x@example.com"), ("target_link_uri", &target)];
        let cross_site = [("origin", "https://id.example"), ("sec-fetch-site", "cross-site")];
        for browser in [world.browser(), world.member().await] {
            let posted = world.browser().post_with("/login", &wanted, &cross_site).await;
            assert!(posted.status == 303 && posted.location.starts_with("/login?"), "{posted:?}");
            assert!(!posted.headers.contains_key("set-cookie"), "it would replace what the browser has");
            if browser.cookie("session").is_none() {
                browser.log_in(&posted.location).await.leads_to("/tasks?q=a%26b");
                assert_eq!(world.op.state.known().asked["login_hint"], "ada+x@example.com");
            }
            browser.get(&posted.location).await.leads_to("/tasks?q=a%26b");
        }
        let elsewhere = world.browser().post_with("/login", &[("iss", "https://evil.example")], &cross_site).await;
        world.browser().get(&elsewhere.location).await.is(400);
        let twice = [wanted[0], ("iss", "https://evil.example")];
        world.browser().post_with("/login", &twice, &cross_site).await.is(400);
        world.browser().post_with("/login", &[], &cross_site).await.leads_to("/login?");
    }

    async fn a_log_in_that_cannot_be_understood_does_not_begin(db) {
        let world = World::new(db).await;
        let issuer = &world.op.url;
        for wrong in [
            format!("iss={issuer}&iss=https://evil.example"), "max_age=-1".to_owned(), "max_age=".to_owned(),
            "max_age=4294967296".to_owned(), "return_to=/a&return_to=//evil".to_owned(),
            "login_hint=a&login_hint=b".to_owned(), "acr_values=a%00b".to_owned(),
        ] {
            for browser in [world.browser(), world.member().await] {
                browser.get(&format!("/login?{wrong}")).await.is(400).shows("This log-in cannot be finished");
                browser.get(&format!("/signup?{wrong}")).await.is(400);
            }
        }
        world.browser().log_in("/login?something=else&something=more").await.leads_to("/tasks");
    }

    async fn a_state_is_good_only_in_the_browser_that_began(db) {
        let world = World::new(db).await;
        let (alice, mallory) = (world.browser(), world.browser());
        mallory.get("/").await.is(200);
        let callback = alice.until_callback("/login").await;
        mallory.get(&callback).await.is(400).shows("This log-in cannot be finished");
        assert!(mallory.cookie("session").is_none());
        // The attempt did not spend it.
        alice.get(&callback).await.leads_to("/tasks");
    }

    async fn a_state_is_good_once(db) {
        let world = World::new(db).await;
        let browser = world.browser();
        let callback = browser.until_callback("/login").await;
        browser.get(&callback).await.leads_to("/tasks");
        let session = browser.cookie("session");
        browser.get(&callback).await.leads_to("/tasks"); // the back button: still logged in, nothing new
        assert_eq!(browser.cookie("session"), session);
        assert_eq!(world.op.state.known().token_requests, 1);

        browser.set_cookie("session", "");
        browser.get(&callback).await.is(400);
    }

    async fn of_racing_callbacks_one_wins(db) {
        let world = World::new(db).await;
        let browser = world.browser();
        let callback = browser.until_callback("/login").await;
        let (browser, callback) = (&browser, &callback);
        let seen = join_all((0..12).map(|_| async move { browser.get(callback).await.status })).await;
        assert_eq!(seen.iter().filter(|status| **status == 303).count(), 1, "{seen:?}");
        assert_eq!(world.op.state.known().token_requests, 1);
        assert_eq!(world.sealed_sessions().await.len(), 1);
    }

    async fn a_state_expires_after_ten_minutes(db) {
        let world = World::new(db).await;
        let browser = world.browser();
        let callback = browser.until_callback("/login").await;
        world.clock.advance(chrono::TimeDelta::minutes(10));
        browser.get(&callback).await.is(400);
    }

    async fn an_answer_that_is_not_the_providers_is_refused(db) {
        let world = World::new(db).await;
        for fault in [
            Fault::IssMissing,
            Fault::IssOther,
            Fault::NoCode,
            Fault::NoIdToken,
            Fault::Nonce,
            Fault::NonceMissing,
            Fault::Audience,
            Fault::OtherAudienceToo,
            Fault::Issuer,
            Fault::Expired,
            Fault::AtHash,
            Fault::OtherKey,
            Fault::AlgNone,
            Fault::Hs256,
            Fault::InvalidGrant,
        ] {
            world.fault(fault);
            let browser = world.browser();
            let seen = browser.log_in("/login").await;
            assert_eq!(seen.status, 400, "{fault:?}");
            seen.shows("This log-in cannot be finished");
            assert!(browser.cookie("session").is_none(), "{fault:?}");
        }
        assert!(world.sealed_sessions().await.is_empty());
    }

    async fn parameters_given_twice_are_refused(db) {
        let world = World::new(db).await;
        let browser = world.browser();
        let callback = browser.until_callback("/login").await;
        for twice in ["&state=x", "&code=x", "&iss=x"] {
            browser.get(&format!("{callback}{twice}")).await.is(400);
        }
        browser.get(&callback).await.leads_to("/tasks");
    }

    async fn cancelling_at_the_provider_is_a_calm_landing(db) {
        let world = World::new(db).await;
        for error in ["access_denied", "login_required", "interaction_required", "consent_required"] {
            world.fault(Fault::Error(error));
            let browser = world.browser();
            browser.log_in("/login").await.leads_to("/");
            let landing = browser.get("/").await;
            landing.is(200).shows("You were not logged in.").lacks("reflected").lacks(error);
            browser.get("/").await.lacks("You were not logged in."); // said once
        }
    }

    async fn the_providers_errors_are_pages_that_reflect_nothing(db) {
        let world = World::new(db).await;
        for (error, status) in [("server_error", 503), ("temporarily_unavailable", 503), ("invalid_scope", 400), ("<i>x", 400)] {
            world.fault(Fault::Error(error));
            let seen = world.browser().log_in("/login").await;
            assert_eq!(seen.status, status, "{error}");
            seen.lacks("reflected").lacks("<i>");
        }
    }

    async fn return_to_leads_to_no_other_place(db) {
        let world = World::new(db).await;
        for evil in [
            "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
            "/%09/evil.example", "/\t/evil.example", "/\n/evil.example", "javascript:alert(1)", "evil.example",
            "/%2f/evil.example", "/%5cevil.example", "https:evil.example", "@evil.example", "", ".", "?x",
            "/x\r\nset-cookie: a=b", "http://localhost.evil.example/tasks", "/tasks\0",
        ] {
            let evil: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
            let browser = world.browser();
            browser.log_in(&format!("/login?return_to={evil}")).await.leads_to("/tasks");
            // Nor for somebody who is logged in.
            browser.get(&format!("/login?return_to={evil}")).await.leads_to("/tasks");
        }
        world.browser().log_in("/login?return_to=/tasks%3Fq%3Dx").await.leads_to("/tasks?q=x");
    }

    async fn a_key_newer_than_our_copy_is_fetched(db) {
        let world = World::new(db).await;
        world.member().await;
        world.op.state.known().key = 1;
        world.clock.advance(chrono::TimeDelta::seconds(30));
        world.member().await;
        assert_eq!(world.op.state.known().discoveries, 2);
    }

    async fn keys_that_do_not_exist_cause_no_storm_of_fetches(db) {
        let world = World::new(db).await;
        world.op.state.known().key = 1;
        world.member().await;
        world.fault(Fault::AlgNone);
        for _ in 0..5 {
            world.browser().log_in("/login").await.is(400);
        }
        assert_eq!(world.op.state.known().discoveries, 1);
    }

    async fn somebody_whose_name_is_not_known_is_logged_in_all_the_same(db) {
        let world = World::new(db).await;
        for fault in [Fault::NoUserInfo, Fault::UserInfoOfAnother] {
            world.fault(fault);
            world.member().await.get("/tasks").await.is(200).shows("Logged in").lacks("Mallory");
        }
    }

    async fn without_a_provider_the_landing_works_and_login_says_so(db) {
        let world = World::new(db).await;
        world.op.server.shutdown.token.cancel();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let browser = world.browser();
        browser.get("/").await.is(200);
        let seen = browser.get("/login").await;
        seen.is(503).shows("Logging in is not possible right now");
        assert!(seen.headers.contains_key("retry-after"));
    }
}
