//! Bad input at every endpoint: good requests, changed at random. Whatever is sent gets the answer that a
//! specification names for it, nobody is sent to a stranger, and a good request afterwards works.
//!
//! The changes are the same in each run; `LATCHKEY_SEED=<number>` makes others.

mod answer;
mod dice;
mod endpoint;
mod endpoints;
mod mutations;
mod raw;
mod registration;
mod request;
mod values;
mod world;

use idp::config::{ClientConfig, TokenExchange};
use platform::on_each_database;

use answer::Answer;
use dice::Dice;
use endpoint::Endpoint;
use endpoints::ENDPOINTS;
use request::Sent;
use world::World;

use crate::fixture::{API, TestIdp};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Good requests for each endpoint, and what is made of each. What one spends, the next replays.
const REQUESTS: usize = 4;
const CHANGED: usize = 8;

impl World<'_> {
    async fn good(&self, endpoint: &Endpoint) -> Result<(), String> {
        let sent = self.request(endpoint).await;
        match self.judged(endpoint, &sent).await? {
            status if status == endpoint.good => Ok(()),
            status => Err(format!("a good request gets {status}: {sent:?}")),
        }
    }

    /// Each thing that can be wrong with it, one at a time.
    async fn one_by_one(&self, endpoint: &Endpoint) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut good = self.request(endpoint).await;
        for change in mutations::one_by_one(&good) {
            let mut sent = good.clone();
            change(&mut sent);
            let judged = self.judged(endpoint, &sent).await;
            if judged.as_ref().is_ok_and(|status| *status < 400) {
                // That made no difference, and its values are spent.
                good = self.request(endpoint).await;
            }
            wrong.extend(judged.err());
        }
        wrong
    }

    /// One or several things are wrong with it, or nothing that matters.
    async fn at_random(&self, endpoint: &Endpoint, dice: &mut Dice) -> Vec<String> {
        let mut wrong = Vec::new();
        for _ in 0..REQUESTS {
            let good = self.request(endpoint).await;
            for _ in 0..CHANGED {
                let mut sent = good.clone();
                for _ in 0..=dice.below(3) {
                    self.change(&mut sent, dice).await;
                }
                wrong.extend(self.judged(endpoint, &sent).await.err());
            }
        }
        wrong
    }

    /// The status that it gets, or what is wrong with the answer.
    async fn judged(&self, endpoint: &Endpoint, sent: &Sent) -> Result<u16, String> {
        let answer = Answer::to(sent, self).await;
        let judgement = answer.judge(endpoint, sent, self);
        judgement.map_err(|why| format!("{why}\n  sent: {sent:?}\n  got: {answer:?}"))?;
        Ok(answer.status)
    }
}

/// Makes all changes others.
fn seed() -> u64 {
    std::env::var("LATCHKEY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

on_each_database! {
    async fn whatever_is_sent_is_answered_as_specified(db) {
        let seed = seed();
        let idp = TestIdp::with(db, |config| {
            config.clients.push(ClientConfig {
                client_id: "machine".to_owned(),
                token_endpoint_auth_method: Some("client_secret_post".to_owned()),
                ..config.clients.iter().find(|client| client.client_id == "robot").unwrap().clone()
            });
            // `web` may do everything, for people of `other`, too.
            let grants = ["authorization_code", "refresh_token", DEVICE_CODE, TOKEN_EXCHANGE];
            config.clients[0].grant_types = Some(grants.map(str::to_owned).to_vec());
            config.token_exchange = vec![TokenExchange {
                client: "web".to_owned(),
                subject_client: vec!["other".to_owned()],
                subject_audience: vec![API.to_owned()],
                audience: vec!["https://files.example".to_owned()],
            }];
            // Guessing is not what is tested here.
            config.throttle.per_network = u32::MAX;
            config.throttle.per_account = u32::MAX;
            config.throttle.per_account_and_network = u32::MAX;
        }).await;
        let world = World::new(&idp).await;
        let mut wrong = Vec::new();
        for endpoint in ENDPOINTS {
            wrong.extend(world.good(endpoint).await.err());
            wrong.extend(world.one_by_one(endpoint).await);
            // Each endpoint has dice of its own: another row in the table changes nothing for the others.
            let mut dice = Dice::of(seed, &format!("{endpoint:?}"));
            wrong.extend(world.at_random(endpoint, &mut dice).await);
            wrong.extend(world.good(endpoint).await.err().map(|why| format!("afterwards, {why}")));
        }
        assert!(wrong.is_empty(), "LATCHKEY_SEED={seed}: {} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}
