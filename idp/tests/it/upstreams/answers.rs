//! What providers answer, and what must not be believed.

use chrono::TimeDelta;
use futures_util::future::join_all;
use idp::store::sweep;
use platform::on_each_database;
use reqwest::StatusCode;
use serde_json::json;

use super::{
    idp_and_sso, idp_with, leads_to, refused,
    sso::{OTHER_KEY, Saying, Sso},
    upstream,
};
use crate::fixture::{Browser, TestIdp};

/// What a browser is told that comes back while the provider says something else.
async fn told(idp: &TestIdp, sso: &Sso, change: impl FnOnce(&mut Saying)) -> (u16, String) {
    let browser = idp.browser();
    sso.says(change);
    let answer = browser.come_from(sso).await;
    let told = refused(answer).await;
    assert_eq!(browser.who().await, None);
    sso.says(|_| {});
    told
}

/// The state of a log-in that was begun in this browser, and where its answer goes.
async fn begun(browser: &Browser<'_>, sso: &Sso) -> String {
    sso.answer(&browser.sent_to(&sso.id, &[]).await).into()
}

on_each_database! {
    async fn what_is_no_id_token_for_this_log_in_lets_nobody_in(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let now = idp.clock.now().timestamp();
        let cases = [
            json!({"iss": "https://other.example"}),
            json!({"iss": format!("{}/", sso.url)}),
            json!({"iss": null}),
            json!({"aud": "another"}),
            json!({"aud": ["another"]}),
            json!({"aud": null}),
            json!({"aud": ["downstream", "another"]}),
            json!({"aud": ["downstream", "another"], "azp": "another"}),
            json!({"azp": "another"}),
            json!({"exp": now}),
            json!({"exp": "soon"}),
            json!({"exp": null}),
            json!({"iat": now + 120}),
            json!({"iat": null}),
            json!({"nonce": "another"}),
            json!({"nonce": null}),
            json!({"sub": ""}),
            json!({"sub": "x".repeat(256)}),
            json!({"sub": "a\u{0}b"}),
            json!({"sub": 7}),
            json!({"sub": null}),
        ];
        for claims in cases {
            let said = told(&idp, &sso, |saying| saying.claims = claims.clone()).await;
            assert_eq!(said, (502, "You are not logged in".to_owned()), "{claims}");
        }
        let headers = [
            json!({"alg": "none"}), json!({"alg": "HS256"}), json!({"alg": "RS256"}), json!({"kid": "b"}),
            json!({"typ": "at+jwt"}), json!({"typ": "logout+jwt"}), json!({"crit": ["exp"]}),
        ];
        for header in headers {
            let said = told(&idp, &sso, |saying| saying.header = header.clone()).await;
            assert_eq!(said.0, 502, "{header}");
        }
        let forged = told(&idp, &sso, |saying| saying.key = Some(&OTHER_KEY)).await;
        assert_eq!(forged.0, 502);
        for fine in [json!({"aud": ["downstream"]}), json!({"aud": ["x", "downstream"], "azp": "downstream"})] {
            sso.says(|saying| saying.claims = fine);
            assert!(leads_to(idp.browser().come_from(&sso).await).await.starts_with("/signup/upstream"));
        }
    }

    async fn answers_that_are_none_say_what_to_do_and_repeat_nothing(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let tokens = [
            (400, r#"{"error":"invalid_grant","error_description":"<b>reflected</b>"}"#, 502),
            (200, "<b>reflected</b>", 502),
            (200, r#"{"access_token":"at"}"#, 502),
            (200, r#"{"access_token":"at","id_token":"a.b.c"}"#, 502),
            (200, "[]", 502),
            (200, "", 502),
            (503, "", 502),
        ];
        for (status, text, expected) in tokens {
            let said = told(&idp, &sso, |saying| saying.token = Some((status, text.to_owned()))).await;
            assert_eq!(said.0, expected, "{text}");
        }
        let large = told(&idp, &sso, |saying| saying.token = Some((200, " ".repeat(70_000)))).await;
        assert_eq!(large, (502, "The sso does not answer".to_owned()));

        let errors = [
            ("access_denied", 403, "You are not logged in"),
            ("login_required", 403, "You are not logged in"),
            ("server_error", 502, "The sso does not answer"),
            ("temporarily_unavailable", 502, "The sso does not answer"),
            ("invalid_request", 502, "You are not logged in"),
            ("<b>reflected</b>", 502, "You are not logged in"),
        ];
        for (error, status, title) in errors {
            let browser = idp.browser();
            sso.says(|saying| {
                saying.parameters = vec![("code", String::new()), ("error", error.to_owned()),
                    ("error_description", "<b>reflected</b>".to_owned())];
            });
            let answer = browser.come_from(&sso).await;
            assert_eq!(answer.status().as_u16(), status, "{error}");
            let html = answer.text().await.unwrap().replace("<bdi>", "").replace("</bdi>", "");
            assert!(html.contains(title) && html.contains("href=\"/login\"") && !html.contains("reflected"), "{html}");
        }
        sso.says(|saying| saying.parameters = vec![("code", String::new())]);
        assert_eq!(refused(idp.browser().come_from(&sso).await).await.0, 502, "neither code nor error");
        assert_eq!(sso.redeemed(), tokens.len() + 1);
    }

    /// RFC 9207, RFC 9700 §4.4.
    async fn an_answer_of_another_issuer_is_not_taken(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let other = told(&idp, &sso, |saying| saying.parameters = vec![("iss", "https://other.example".to_owned())]).await;
        assert_eq!(other.0, 502);
        idp.clock.advance(TimeDelta::minutes(6)); // the metadata is read anew
        let iss = json!({"authorization_response_iss_parameter_supported": true});
        sso.says(|saying| saying.metadata = iss.clone());
        let browser = idp.browser();
        assert_eq!(refused(browser.come_from(&sso).await).await.0, 502, "it says that it always says it");
        assert_eq!(sso.redeemed(), 0, "no code was given away");
        sso.says(|saying| (saying.metadata, saying.parameters) = (iss, vec![("iss", sso.url.clone())]));
        assert!(leads_to(browser.come_from(&sso).await).await.starts_with("/signup/upstream"));
    }

    async fn a_state_is_good_once_in_its_browser_for_its_provider(db) {
        let (one, two) = (Sso::new("one"), Sso::new("two"));
        let upstreams = vec![upstream("one", &one.url), upstream("two", &two.url)];
        let idp = idp_with(db, upstreams, |_| {}).await;
        let browser = idp.browser();
        let answer = begun(&browser, &one).await;
        let over = (400, "This log-in is over".to_owned());

        assert_eq!(refused(idp.browser().get(&answer).await).await, over, "another browser");
        let swapped = answer.replace("/upstream/one/", "/upstream/two/");
        assert_eq!(refused(browser.get(&swapped).await).await, over, "another provider's");
        assert_eq!(browser.get(&answer.replace("/upstream/one/", "/upstream/three/")).await.status(), 404);
        for wrong in [answer.replace("state=lku_", "state=lku_x"), format!("{answer}&state=x"), answer.split('?').next().unwrap().to_owned()] {
            assert_eq!(refused(browser.get(&wrong).await).await, over, "{wrong}");
        }
        assert_eq!((one.redeemed(), two.redeemed()), (0, 0));
        assert!(leads_to(browser.get(&answer).await).await.starts_with("/signup/upstream"), "nothing of that has spent it");
        assert_eq!(refused(browser.get(&answer).await).await, over, "again");
        assert_eq!(one.redeemed(), 1);

        let late = begun(&browser, &one).await;
        idp.clock.advance(TimeDelta::minutes(10));
        assert_eq!(refused(browser.get(&late).await).await, over, "too late");
        idp.clock.advance(TimeDelta::hours(2));
        assert!(sweep(&idp.db, idp.clock.now()).await.unwrap() >= 2);
    }

    async fn of_fifty_answers_with_one_state_one_is_looked_at(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let browser = idp.browser();
        assert_eq!(browser.sign_up_from(&sso).await.status(), StatusCode::SEE_OTHER);
        browser.post("/logout/confirm", &[]).await;
        let answer = begun(&browser, &sso).await;
        let before = sso.redeemed();
        let cookie = browser.cookies.header();
        let answers = join_all((0..50).map(|_| idp.http.get(&answer).header("cookie", &cookie).send())).await;
        let sessions = answers.iter().filter(|answer| {
            let cookies = answer.as_ref().unwrap().headers().get_all("set-cookie");
            cookies.iter().any(|cookie| cookie.to_str().unwrap().starts_with("latchkey_idp_session="))
        });
        assert_eq!((sessions.count(), sso.redeemed() - before), (1, 1));
    }

    async fn nobody_is_sent_where_metadata_must_not_lead(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let bad = [
            json!({"issuer": "https://other.example"}),
            json!({"authorization_endpoint": "javascript:alert(1)"}),
            json!({"authorization_endpoint": "http://evil.example/authorize"}),
            json!({"token_endpoint": null}),
            json!({"jwks_uri": 7}),
        ];
        for metadata in bad {
            sso.says(|saying| saying.metadata = metadata.clone());
            let browser = idp.browser();
            let answer = browser.post("/login/upstream/sso", &[]).await;
            assert_eq!(refused(answer).await, (502, "The sso does not answer".to_owned()), "{metadata}");
            idp.clock.advance(TimeDelta::minutes(6));
        }
        // Where only we could look: the cloud's own secrets, say.
        sso.says(|saying| saying.metadata = json!({"token_endpoint": "http://169.254.169.254/token"}));
        assert_eq!(refused(idp.browser().come_from(&sso).await).await.0, 502);
    }

    async fn a_log_in_begins_on_our_own_pages_only(db) {
        let (idp, sso) = idp_and_sso(db).await;
        let browser = idp.browser();
        assert_eq!(browser.get("/login/upstream/sso").await.status(), StatusCode::METHOD_NOT_ALLOWED);
        let bare = idp.http.post(idp.at("/login/upstream/sso")).header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(browser.send(bare).await.status(), StatusCode::FORBIDDEN);
        assert_eq!(browser.post("/login/upstream/nobody", &[]).await.status(), StatusCode::NOT_FOUND);
        let asked = browser.sent_to("sso", &[]).await;
        let parameters: std::collections::BTreeMap<_, _> = asked.query_pairs().into_owned().collect();
        let redirect_uri = idp.at("/login/upstream/sso/callback");
        for (name, value) in [
            ("response_type", "code"), ("client_id", "downstream"), ("scope", "openid profile email"),
            ("code_challenge_method", "S256"), ("redirect_uri", redirect_uri.as_str()),
        ] {
            assert_eq!(parameters[name], value);
        }
        assert!(parameters["state"].starts_with("lku_") && parameters["nonce"].len() == 43);
        assert!(!parameters.contains_key("prompt") && !parameters.contains_key("max_age"));
        drop(sso);
    }
}
