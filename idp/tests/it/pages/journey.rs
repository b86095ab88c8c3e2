//! From an app to log-in, sign-up and consent, and back.

use axum::http::{StatusCode, header};
use idp::{Config, config::ClientConfig};
use platform::on_each_database;

use super::visitor::{EMAIL, PASSWORD, Place};

const CALLBACK: &str = "https://app.example/callback";

fn with_app(config: &mut Config) {
    config.clients.push(ClientConfig {
        client_id: "app".to_owned(),
        name: "Photo <Prints>".to_owned(),
        redirect_uris: vec![CALLBACK.to_owned()],
        scope: Some("openid profile email offline_access tasks:read tasks:write fax:send".to_owned()),
        ..ClientConfig::default()
    });
}

fn authorize(more: &str) -> String {
    format!(
        "/authorize?response_type=code&client_id=app&redirect_uri={CALLBACK}&state=s&code_challenge_method=S256\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&{more}"
    )
}

/// The handle in `/login?request=<handle>`.
fn handle(location: &str) -> String {
    location.split_once("?request=").unwrap_or_else(|| panic!("{location}")).1.to_owned()
}

on_each_database! {
    async fn log_in_then_consent_then_the_app(db) {
        let place = Place::with(db, with_app).await;
        place.alice().await;
        let mut phone = place.visitor();
        let login = phone.get(&authorize("scope=openid email fax:send&login_hint=alice@example.com")).await;
        assert!(login.location().starts_with("/login?request="), "{} {}", login.status, login.body);
        let handle = handle(login.location());

        let page = phone.get(login.location()).await;
        assert!(page.body.contains("Photo &#60;Prints&#62;") && page.body.contains("value=\"alice@example.com\""));
        assert!(page.header(header::CONTENT_SECURITY_POLICY).contains("form-action 'self' https://app.example"));
        assert!(page.body.contains(&format!("href=\"/signup?request={handle}\"")));
        assert!(page.body.contains("id=\"login-cancel\""));

        let form = [("request", handle.as_str()), ("email", EMAIL), ("password", "wrong password")];
        let refused = phone.post("/login", &form).await;
        assert!(refused.body.contains("Photo") && refused.header(header::CONTENT_SECURITY_POLICY).contains("app.example"));
        let form = [("request", handle.as_str()), ("email", EMAIL), ("password", PASSWORD)];
        let answer = phone.post("/login", &form).await;
        assert_eq!(answer.location(), format!("/authorize/resume?request={handle}"));
        let resumed = phone.get(answer.location()).await;
        assert_eq!(resumed.location(), format!("/consent?request={handle}"));

        let page = phone.get(resumed.location()).await;
        for shown in ["app.example", EMAIL, "See your e-mail address", "<code>fax:send</code>", "consent-allow", "consent-deny"] {
            assert!(page.body.contains(shown), "{shown}");
        }
        assert!(!page.body.contains("your tasks"), "only what was asked for");
        assert!(page.header(header::CONTENT_SECURITY_POLICY).contains("form-action 'self' https://app.example"));
        let answer = phone.post("/consent", &[("request", &handle), ("decision", "allow")]).await;
        assert!(answer.location().starts_with(&format!("{CALLBACK}?")) && answer.location().contains("code=lkc_"));
        let again = phone.post("/consent", &[("request", &handle), ("decision", "allow")]).await;
        assert_eq!(again.status, StatusCode::BAD_REQUEST, "an answer counts once");
    }

    /// With `prompt=login` or a `max_age` that has passed, and as nobody else.
    async fn who_is_logged_in_and_shall_log_in_again_types_only_the_password(db) {
        let place = Place::with(db, with_app).await;
        let mut alice = place.alice().await;
        place.clock.advance(chrono::TimeDelta::minutes(10));
        let again = "Log in again to go on.";
        for more in ["prompt=login", "max_age=0", "max_age=300", "prompt=login&login_hint=Alice@Example.com"] {
            let login = alice.get(&authorize(&format!("scope=openid&{more}"))).await;
            let page = alice.get(login.location()).await.body;
            assert!(page.contains(again) && page.contains(&format!("value=\"{EMAIL}\"")), "{more}: {page}");
            assert!(page.contains("Photo &#60;Prints&#62;") && !page.contains("New here?"), "{more}");
            assert!(page.split("autofocus").next().unwrap().contains("id=\"password\""), "{more}");
            let form = [("request", handle(login.location())), ("email", EMAIL.to_owned()), ("password", "wrong".to_owned())];
            let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
            assert!(alice.post("/login", &form).await.body.contains(again), "{more}");
        }
        for more in ["prompt=select_account", "prompt=login&login_hint=bob@example.com", "prompt=create"] {
            let location = alice.get(&authorize(&format!("scope=openid&{more}"))).await.location().replace("/signup", "/login");
            let page = alice.get(&location).await.body;
            assert!(!page.contains(again) && !page.contains(EMAIL) && page.contains("New here?"), "{more}");
        }
        // "Not you?" on the consent page.
        let consent = alice.get(&authorize("scope=openid")).await.location().replace("/consent", "/login");
        assert!(!alice.get(&consent).await.body.contains(again));
        let mut visitor = place.visitor();
        let login = visitor.get(&authorize("scope=openid&prompt=login")).await;
        assert!(!visitor.get(login.location()).await.body.contains(again), "nobody is logged in");
    }

    async fn sign_up_leads_on_to_the_app_too(db) {
        let place = Place::with(db, with_app).await;
        let mut visitor = place.visitor();
        let login = visitor.get(&authorize("scope=openid&prompt=create")).await;
        let handle = handle(login.location());
        assert!(visitor.get(&format!("/signup?request={handle}")).await.body.contains("Photo"));
        let form = [("request", handle.as_str()), ("name", "Alice"), ("email", EMAIL), ("password", PASSWORD)];
        let answer = visitor.post("/signup", &form).await;
        assert_eq!(answer.location(), format!("/authorize/resume?request={handle}"));
        assert!(visitor.get(answer.location()).await.location().starts_with("/consent?request="));
    }

    async fn who_refuses_or_cancels_goes_back_with_access_denied(db) {
        let place = Place::with(db, with_app).await;
        let mut alice = place.alice().await;
        let consent = handle(alice.get(&authorize("scope=openid")).await.location());
        alice.get(&format!("/consent?request={consent}")).await;
        for decision in ["", "maybe", "Allow"] {
            let answer = alice.post("/consent", &[("request", &consent), ("decision", decision)]).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{decision}");
        }
        let denied = alice.post("/consent", &[("request", &consent), ("decision", "deny")]).await;
        assert!(denied.location().contains("error=access_denied"), "{}", denied.location());

        let mut visitor = place.visitor();
        let login = handle(visitor.get(&authorize("scope=openid")).await.location());
        visitor.get(&format!("/login?request={login}")).await;
        let cancelled = visitor.post("/authorize/cancel", &[("request", &login)]).await;
        assert!(cancelled.location().contains("error=access_denied"), "{}", cancelled.location());
    }

    /// Somebody else's request must not be consented to by following a link.
    async fn a_request_waits_in_one_browser_only(db) {
        let place = Place::with(db, with_app).await;
        let mut attacker = place.visitor();
        let login = attacker.get(&authorize("scope=openid")).await;
        let handle = handle(login.location());
        let mut alice = place.alice().await;
        for path in ["/login", "/signup", "/consent", "/authorize/resume"] {
            let page = alice.get(&format!("{path}?request={handle}")).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
            assert!(page.body.contains("This took too long"), "{path}");
        }
        let answer = alice.post("/consent", &[("request", &handle), ("decision", "allow")]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }

    async fn consent_is_asked_only_of_who_is_logged_in(db) {
        let place = Place::with(db, with_app).await;
        let mut visitor = place.visitor();
        let handle = handle(visitor.get(&authorize("scope=openid")).await.location());
        let login = format!("/login?request={handle}");
        assert_eq!(visitor.get(&format!("/consent?request={handle}")).await.location(), login);
        visitor.get(&login).await;
        let answer = visitor.post("/consent", &[("request", &handle), ("decision", "allow")]).await;
        assert_eq!(answer.location(), login);
    }
}
