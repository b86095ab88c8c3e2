//! The provider ends sessions (OpenID Connect Back-Channel Logout 1.0).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use platform::on_each_database;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::{browser::Browser, world::World};

const TYP: Option<&str> = Some("logout+jwt");

/// About the person that everybody is here, whose first session is `session-1`.
fn good(world: &World, jti: &str) -> Value {
    let now = world.clock.now().timestamp();
    json!({
        "iss": world.op.url, "aud": "latchkey-web", "iat": now, "exp": now + 120, "jti": jti, "sub": "alice",
        "sid": "session-1", "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    })
}

async fn post(world: &World, form: &[(&str, &str)]) -> Response {
    let uri = format!("{}/backchannel-logout", world.config.public_url);
    Client::new().post(uri).form(form).send().await.unwrap()
}

async fn present(world: &World, token: &str) -> u16 {
    let answer = post(world, &[("logout_token", token)]).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(answer.headers().get("set-cookie").is_none());
    answer.status().as_u16()
}

async fn tell(world: &World, claims: &Value) -> u16 {
    let token = world.op.state.known().sign(TYP, claims);
    present(world, &token).await
}

async fn is_logged_in(browser: &Browser) -> bool {
    browser.get("/tasks").await.status == 200
}

on_each_database! {
    async fn a_session_that_ended_at_the_provider_ends_here(db) {
        let world = World::new(db).await;
        let (here, elsewhere) = (world.member().await, world.member().await);
        assert_eq!(tell(&world, &good(&world, "1")).await, 200);
        here.get("/tasks").await.leads_to("/login?return_to=%2Ftasks");
        assert!(is_logged_in(&elsewhere).await, "another session");
        assert_eq!(tell(&world, &good(&world, "2")).await, 200, "there is nothing to end any more");
    }

    async fn without_a_sid_all_sessions_of_the_person_end(db) {
        let world = World::new(db).await;
        let (here, elsewhere) = (world.member().await, world.member().await);
        let mut claims = good(&world, "1");
        claims.as_object_mut().unwrap().remove("sid");
        claims["sub"] = "somebody else".into();
        assert_eq!(tell(&world, &claims).await, 200);
        assert!(is_logged_in(&here).await && is_logged_in(&elsewhere).await);
        (claims["sub"], claims["jti"]) = ("alice".into(), "2".into());
        assert_eq!(tell(&world, &claims).await, 200);
        assert!(!is_logged_in(&here).await && !is_logged_in(&elsewhere).await);
    }

    /// §2.6.
    async fn what_is_no_logout_token_for_us_ends_nothing(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let now = world.clock.now().timestamp();
        let with = |change: &[(&str, Value)]| {
            let mut claims = good(&world, "wrong");
            for (name, value) in change {
                match value {
                    Value::Null => drop(claims.as_object_mut().unwrap().remove(*name)),
                    value => claims[*name] = value.clone(),
                }
            }
            claims
        };
        let sign = |typ: Option<&str>, claims: &Value| world.op.state.known().sign(typ, claims);
        let signed = |change: &[(&str, Value)]| sign(TYP, &with(change));
        let good = sign(TYP, &good(&world, "good"));
        let parts: Vec<&str> = good.split('.').collect();
        let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let wrong = [
            ("nothing", String::new()),
            ("no JWT", "x.y.z".to_owned()),
            ("no signature", format!("{}.{}.", parts[0], parts[1])),
            ("alg none", format!("{}.{}.", encode(json!({"alg": "none", "typ": "logout+jwt"})), parts[1])),
            ("other claims", format!("{}.{}.{}", parts[0], encode(with(&[])), parts[2])),
            ("no typ", sign(None, &with(&[]))),
            ("an ID token's typ", sign(Some("JWT"), &with(&[]))),
            ("an access token's typ", sign(Some("at+jwt"), &with(&[]))),
            ("other issuer", signed(&[("iss", json!("https://evil.example"))])),
            ("other audience", signed(&[("aud", json!("another"))])),
            ("other audiences", signed(&[("aud", json!(["another", "others"]))])),
            ("no audience", signed(&[("aud", Value::Null)])),
            ("for ever", signed(&[("exp", json!(now + 601))])),
            ("no time", signed(&[("exp", json!(i64::MAX))])),
            ("since no time", signed(&[("iat", json!(i64::MIN))])),
            ("no exp", signed(&[("exp", Value::Null)])),
            ("no iat", signed(&[("iat", Value::Null)])),
            ("no jti", signed(&[("jti", Value::Null)])),
            ("no events", signed(&[("events", Value::Null)])),
            ("other events", signed(&[("events", json!({"other": {}}))])),
            ("an event that is no object", signed(&[("events", json!({"http://schemas.openid.net/event/backchannel-logout": true}))])),
            ("a nonce", signed(&[("nonce", json!("n"))])),
            ("neither sid nor sub", signed(&[("sid", Value::Null), ("sub", Value::Null)])),
            ("a sid that is no text", signed(&[("sid", json!(1))])),
        ];
        for (what, token) in wrong {
            assert_eq!(present(&world, &token).await, 400, "{what}");
        }
        let null_nonce = sign(TYP, &{ let mut claims = with(&[]); claims["nonce"] = Value::Null; claims });
        assert_eq!(present(&world, &null_nonce).await, 400);
        for form in [&[][..], &[("token", good.as_str())], &[("logout_token", &good), ("logout_token", &good)]] {
            assert_eq!(post(&world, form).await.status(), 400);
        }
        let uri = format!("{}/backchannel-logout?logout_token={good}", world.config.public_url);
        assert_eq!(Client::new().get(&uri).send().await.unwrap().status(), 405);
        assert_eq!(Client::new().post(&uri).send().await.unwrap().status(), 400);
        assert!(is_logged_in(&browser).await);
        assert_eq!(present(&world, &good).await, 200, "none of that has used it up");
    }

    async fn a_logout_token_is_good_once(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        let token = world.op.state.known().sign(TYP, &good(&world, "once"));
        let answers = join_all((0..50).map(|_| present(&world, &token))).await;
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        assert!(!is_logged_in(&browser).await);
        // As long as the leeway lets it be good.
        world.clock.advance(chrono::TimeDelta::seconds(179));
        assert_eq!(present(&world, &token).await, 400);
        let (now, remembered) = (world.clock.now(), world.remembered_logout_tokens().await);
        assert!(remembered.len() == 1 && remembered[0] > now, "{remembered:?} at {now}");
    }

    async fn clocks_may_be_a_minute_apart_and_what_is_further_off_may_come_again(db) {
        let world = World::new(db).await;
        let now = world.clock.now().timestamp();
        let last_time = 8_210_266_876_799_i64; // that the clock's type knows
        let times = [
            ("ahead", now + 60, now + 180, 200),
            ("behind", now - 179, now - 59, 200),
            ("further ahead", now + 61, now + 181, 503),
            ("further behind", now - 180, now - 60, 503),
            ("at the end of time", last_time, last_time, 503),
        ];
        for (what, iat, exp, status) in times {
            let mut claims = good(&world, what);
            (claims["iat"], claims["exp"]) = (iat.into(), exp.into());
            assert_eq!(tell(&world, &claims).await, status, "{what}");
        }
    }

    async fn a_logout_token_of_a_key_newer_than_our_copy_is_taken(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        world.op.state.known().key = 1;
        world.clock.advance(chrono::TimeDelta::seconds(30));
        assert_eq!(tell(&world, &good(&world, "1")).await, 200);
        assert!(!is_logged_in(&browser).await);
    }

    async fn a_logout_token_of_a_key_that_we_cannot_know_yet_may_come_again(db) {
        let world = World::new(db).await;
        let browser = world.member().await;
        world.op.state.known().key = 1;
        let token = world.op.state.known().sign(TYP, &good(&world, "1"));
        let answer = post(&world, &[("logout_token", &token)]).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "5");
        assert_eq!(world.op.state.known().discoveries, 1);
        world.clock.advance(chrono::TimeDelta::seconds(5));
        assert_eq!(present(&world, &token).await, 200);
        assert!(!is_logged_in(&browser).await);
    }

    async fn without_the_provider_a_logout_token_may_come_again(db) {
        let world = World::new(db).await;
        let token = world.op.state.known().sign(TYP, &good(&world, "1"));
        world.op.server.shutdown.token.cancel();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(present(&world, &token).await, 503);
    }
}
