//! What becomes of passkeys, beside logging in with them alone.

use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use idp::store::{
    UserId, Words, passkeys,
    sign_ins::{self, NewSignIn},
    users,
};
use platform::{on_each_database, secret::SecretHash};

use super::{
    passkeys::{ADD, LOG_IN, add, alice_with_a_passkey, amr, log_in, options, refused},
    visitor::{EMAIL, PASSWORD, Place, Visitor},
};
use crate::authenticator::Authenticator;

const SECOND: &str = "/login/second/passkey";

/// Somebody else, who has just made an account.
async fn sign_up(place: &Place, name: &str) -> Visitor {
    let mut visitor = place.visitor_from("192.0.2.9");
    visitor.get("/signup").await;
    let email = format!("{name}@example.com");
    visitor.post("/signup", &[("name", name), ("email", &email), ("password", PASSWORD)]).await;
    visitor
}

async fn id_of(place: &Place, email: &str) -> UserId {
    let mut tx = place.tx().await;
    users::find_by_email(&mut tx, email).await.unwrap().unwrap().id
}

/// Only passkeys are left to her.
async fn without_password(place: &Place) -> UserId {
    let id = id_of(place, EMAIL).await;
    let mut tx = place.tx().await;
    users::set_password(&mut tx, id, "", place.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// Where the page of the first passkey in the list is.
async fn first(visitor: &mut Visitor) -> String {
    let list = visitor.get("/account/passkeys").await.body;
    let (_, rest) = list.split_once("href=\"/account/passkeys/0").unwrap();
    format!("/account/passkeys/0{}", rest.split('"').next().unwrap())
}

/// A password was right in this browser, and a further factor is asked for.
async fn half_way(place: &Place, visitor: &mut Visitor, user_id: UserId) {
    visitor.get("/login").await;
    let now = place.clock.now();
    let new = NewSignIn {
        token_hash: &SecretHash::of("lkp_half-way"),
        browser: &SecretHash::of(&visitor.cookies.get("latchkey_idp_browser").unwrap()),
        user_id,
        amr: &Words(vec!["pwd".to_owned()]),
        created_at: now,
        expires_at: now + TimeDelta::minutes(10),
    };
    let mut tx = place.tx().await;
    sign_ins::insert(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    visitor.cookies.set("latchkey_idp_login", "lkp_half-way");
}

on_each_database! {
    /// §7.1: a credential is one person's.
    async fn a_credential_that_somebody_has_is_not_added_again(db) {
        let (place, mut alice, mut authenticator) = alice_with_a_passkey(db).await;
        let mut mallory = sign_up(&place, "mallory").await;
        let alices = authenticator.user_handle.clone();
        let credential = authenticator.create(&options(&mut mallory, ADD).await);
        let answer = mallory.post(ADD, &[("name", ""), ("credential", &credential)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(mallory.get("/account/passkeys").await.body.contains("No passkeys yet"));
        // Nor does it log in whom its authenticator names.
        refused(&log_in(&mut mallory, &mut authenticator).await);
        authenticator.user_handle = alices;
        assert_eq!(log_in(&mut mallory, &mut authenticator).await.location(), "/account");
        assert!(alice.get("/account/passkeys").await.body.contains("Key ring"));
    }

    async fn a_new_credential_that_is_wrong_in_one_thing_is_not_added(db) {
        let place = Place::new(db).await;
        let mut alice = place.alice().await;
        let lies: [fn(&mut Authenticator); 5] = [
            |it| it.origin = "https://evil.example".to_owned(),
            |it| it.rp_id = "evil.example".to_owned(),
            |it| it.cross_origin = true,
            |it| it.user_present = false,
            |it| it.user_verified = false,
        ];
        alice.get(ADD).await;
        for lie in lies {
            let mut authenticator = Authenticator::new(&place.config.issuer);
            lie(&mut authenticator);
            let credential = authenticator.create(&options(&mut alice, ADD).await);
            let answer = alice.post(ADD, &[("name", ""), ("credential", &credential)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert!(alice.get("/account/passkeys").await.body.contains("No passkeys yet"));
    }

    async fn passkeys_are_renamed_and_removed_by_whom_they_belong_to(db) {
        let (place, mut alice, mut authenticator) = alice_with_a_passkey(db).await;
        let at = first(&mut alice).await;
        let remove = format!("{at}/remove");

        let mut bob = sign_up(&place, "bob").await;
        assert_eq!(bob.get(&at).await.status, StatusCode::NOT_FOUND);
        bob.post(&at, &[("name", "Mine")]).await;
        bob.post(&remove, &[]).await;
        assert!(alice.get("/account/passkeys").await.body.contains("Key ring"));

        for (name, said) in [(" ", "Enter a name."), (&*"x".repeat(61), "at most 60"), ("a\u{7}b", "cannot be shown")] {
            let answer = alice.post(&at, &[("name", name)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(answer.body.contains(said), "{}", answer.body);
        }
        let answer = alice.post(&at, &[("name", " <b>Blue</b> one ")]).await;
        assert_eq!(answer.location(), "/account/passkeys");
        let list = alice.get("/account/passkeys").await.body;
        assert!(list.contains("Blue") && !list.contains("<b>"), "{list}");

        assert_eq!(alice.post(&remove, &[]).await.location(), "/account/passkeys");
        assert!(alice.get("/account/passkeys").await.body.contains("No passkeys yet"));
        refused(&log_in(&mut place.visitor_from("192.0.2.7"), &mut authenticator).await);
    }

    async fn adding_and_removing_need_a_log_in_of_the_last_minutes(db) {
        let (place, mut alice, _) = alice_with_a_passkey(db).await;
        place.clock.advance(TimeDelta::minutes(11));
        let list = alice.get("/account/passkeys").await;
        assert_eq!(list.status, StatusCode::OK);
        let at = first(&mut alice).await;
        for path in [ADD, &at] {
            let answer = alice.get(path).await;
            assert!(answer.location().starts_with("/login?return_to="), "{path}");
        }
        for path in ["/account/passkeys/add/options".to_owned(), format!("{at}/remove")] {
            assert!(alice.post(&path, &[]).await.location().starts_with("/login?return_to="), "{path}");
        }
        let answer = alice.post(ADD, &[("name", ""), ("credential", "{}")]).await;
        assert!(answer.location().starts_with("/login?return_to="));
        assert!(alice.get("/account/passkeys").await.body.contains("Key ring"));
        let mut nobody = place.visitor();
        for path in ["/account/passkeys", ADD, &at] {
            assert!(nobody.get(path).await.location().starts_with("/login?return_to="), "{path}");
        }
    }

    async fn the_last_way_in_is_kept(db) {
        let (place, mut alice, _) = alice_with_a_passkey(db).await;
        without_password(&place).await;
        let at = first(&mut alice).await;
        let remove = format!("{at}/remove");
        assert!(alice.get(&at).await.body.contains("your only way to log in"));
        assert_eq!(alice.post(&remove, &[]).await.location(), at);

        let mut second = add(&place, &mut alice, "Phone").await;
        assert_eq!(alice.post(&remove, &[]).await.location(), "/account/passkeys");
        let at = first(&mut alice).await;
        assert_eq!(alice.post(&format!("{at}/remove"), &[]).await.location(), at);
        assert_eq!(log_in(&mut place.visitor_from("192.0.2.7"), &mut second).await.location(), "/account");
    }

    /// Two tabs, each of which sees another one that stays.
    async fn of_two_that_are_removed_at_once_one_stays_when_there_is_no_other_way(db) {
        let (place, mut alice, _) = alice_with_a_passkey(db).await;
        add(&place, &mut alice, "Phone").await;
        let id = without_password(&place).await;
        let mut tx = place.tx().await;
        let both = passkeys::list(&mut tx, id).await.unwrap();
        drop(tx);
        let tabs = both.into_iter().map(|passkey| {
            let (mut tab, path) = (alice.clone(), format!("/account/passkeys/{}/remove", passkey.id));
            tokio::spawn(async move { tab.post(&path, &[]).await })
        });
        for tab in tabs.collect::<Vec<_>>() {
            tab.await.unwrap();
        }
        let mut tx = place.tx().await;
        assert_eq!(passkeys::list(&mut tx, id).await.unwrap().len(), 1);
    }

    async fn nobody_has_more_than_twenty(db) {
        let place = Place::new(db).await;
        let mut alice = place.alice().await;
        for number in 0..20 {
            add(&place, &mut alice, &format!("Key {number}")).await;
        }
        let credential = Authenticator::new(&place.config.issuer).create(&options(&mut alice, ADD).await);
        let answer = alice.post(ADD, &[("name", ""), ("credential", &credential)]).await;
        assert!(answer.body.contains("there is no room for more"), "{}", answer.body);
        assert!(!alice.get("/account/passkeys").await.body.contains("href=\"/account/passkeys/add\""));
    }

    async fn a_passkey_finishes_a_log_in_that_a_password_began(db) {
        let (place, _alice, mut authenticator) = alice_with_a_passkey(db).await;
        let mut visitor = place.visitor_from("192.0.2.7");
        assert_eq!(visitor.log_in(EMAIL, PASSWORD).await.location(), "/account", "nobody asks for it");
        visitor.cookies.remove("latchkey_idp_session");

        half_way(&place, &mut visitor, id_of(&place, EMAIL).await).await;
        let asked = options(&mut visitor, SECOND).await;
        assert_eq!(asked["publicKey"]["allowCredentials"].as_array().map(Vec::len), Some(1));
        authenticator.counter += 1;
        // It was told whose credential is meant.
        authenticator.user_handle = None;
        let assertion = authenticator.get(&asked);
        refused(&visitor.post(LOG_IN, &[("credential", &assertion)]).await);
        let answer = visitor.post(SECOND, &[("credential", &assertion)]).await;
        assert_eq!(answer.location(), "/account");
        assert_eq!(amr(&place, &visitor).await.to_string(), "pwd pop mfa");
        let again = visitor.post(SECOND, &[("credential", &assertion)]).await;
        assert_eq!(again.location(), "/login", "it has ended");
    }

    async fn another_persons_passkey_finishes_no_log_in(db) {
        let (place, _alice, mut authenticator) = alice_with_a_passkey(db).await;
        let mut bob = sign_up(&place, "bob").await;
        add(&place, &mut bob, "Bob's").await;
        let bob = id_of(&place, "bob@example.com").await;
        let mut mallory = place.visitor_from("192.0.2.7");
        half_way(&place, &mut mallory, bob).await;
        let asked = options(&mut mallory, SECOND).await;
        authenticator.counter += 1;
        authenticator.user_handle = None;
        let answer = mallory.post(SECOND, &[("credential", &authenticator.get(&asked))]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(mallory.session().is_none());
        let mut nobody = place.visitor();
        nobody.get("/login").await;
        assert_eq!(nobody.post(&format!("{SECOND}/options"), &[]).await.status, StatusCode::BAD_REQUEST);
    }

    async fn who_asks_for_too_many_challenges_waits_and_others_do_not(db) {
        let place = Place::with(db, |config| config.throttle.per_network = 1).await;
        let mut alice = place.alice().await;
        let mut authenticator = add(&place, &mut alice, "").await;
        let mut flood = place.visitor_from("192.0.2.66");
        flood.get("/login").await;
        for _ in 0..20 {
            options(&mut flood, LOG_IN).await;
        }
        let answer = flood.post("/login/passkey/options", &[]).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header(header::RETRY_AFTER), "1");
        let mut visitor = place.visitor_from("192.0.2.7");
        for _ in 0..30 {
            assert_eq!(log_in(&mut visitor, &mut authenticator).await.location(), "/account");
            visitor.cookies.remove("latchkey_idp_session");
        }
    }

    async fn where_there_are_none_nothing_speaks_of_them(db) {
        let place = Place::with(db, |config| config.passkeys = false).await;
        let mut alice = place.alice().await;
        for path in ["/account/passkeys", ADD] {
            assert_eq!(alice.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert!(!alice.get("/account/security").await.body.contains("asskey"));
        let mut visitor = place.visitor();
        assert!(!visitor.get("/login").await.body.contains("passkey"));
        assert_eq!(visitor.post("/login/passkey/options", &[]).await.status, StatusCode::NOT_FOUND);

        // Authenticators know no IP addresses.
        let place = place.restart(|config| {
            config.passkeys = true;
            config.issuer = config.issuer.replace("localhost", "127.0.0.1");
        });
        assert!(!place.await.visitor().get("/login").await.body.contains("passkey"));
    }
}
