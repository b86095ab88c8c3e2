//! Bad input at every endpoint: good requests, changed at random. Whatever is sent gets the answer that a
//! specification names for it, nobody is sent to a stranger, and a good request afterwards works.
//!
//! The changes are the same in each run; `LATCHKEY_SEED=<number>` makes others.

mod answer;
mod dice;
mod endpoints;
mod mutations;
mod raw;
mod request;
mod world;

use idp::config::ClientConfig;
use platform::on_each_database;

use answer::Answer;
use dice::Dice;
use endpoints::{ENDPOINTS, Endpoint};
use request::Sent;
use world::World;

use crate::fixture::TestIdp;

/// Good requests for each endpoint, and what is made of each. What one spends, the next replays.
const REQUESTS: usize = 8;
const CHANGED: usize = 8;

impl World<'_> {
    async fn good(&self, endpoint: &Endpoint) -> Result<(), String> {
        let sent = self.request(endpoint).await;
        let answer = Answer::to(&sent, self).await;
        if answer.status != endpoint.good {
            return Err(told(&format!("a good request should get {}", endpoint.good), &sent, &answer));
        }
        answer.judge(endpoint, &sent, self).map_err(|why| told(&why, &sent, &answer))
    }

    async fn bad(&self, endpoint: &Endpoint, sent: Sent) -> Result<(), String> {
        let answer = Answer::to(&sent, self).await;
        answer.judge(endpoint, &sent, self).map_err(|why| told(&why, &sent, &answer))
    }
}

fn told(why: &str, sent: &Sent, answer: &Answer) -> String {
    format!("{why}\n  sent: {sent:?}\n  got: {answer:?}")
}

on_each_database! {
    async fn whatever_is_sent_is_answered_as_specified(db) {
        let seed = std::env::var("LATCHKEY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
        let idp = TestIdp::with(db, |config| {
            config.clients.push(ClientConfig {
                client_id: "machine".to_owned(),
                token_endpoint_auth_method: Some("client_secret_post".to_owned()),
                ..config.clients.iter().find(|client| client.client_id == "robot").unwrap().clone()
            });
            // Guessing is not what is tested here.
            config.throttle.per_network = u32::MAX;
            config.throttle.per_account = u32::MAX;
            config.throttle.per_account_and_network = u32::MAX;
        }).await;
        let world = World::new(&idp).await;
        let mut wrong = Vec::new();
        for (row, endpoint) in ENDPOINTS.iter().enumerate() {
            // Each endpoint has changes of its own, whatever rows are before it.
            let mut dice = Dice::new(seed ^ Dice::hash(endpoint.method, endpoint.path, row));
            wrong.extend(world.good(endpoint).await.err());
            for sent in mutations::one_by_one(&world.request(endpoint).await) {
                wrong.extend(world.bad(endpoint, sent).await.err());
            }
            for _ in 0..REQUESTS {
                let good = world.request(endpoint).await;
                for _ in 0..CHANGED {
                    // One or several things are wrong with it, or nothing that matters.
                    let mut sent = good.clone();
                    for _ in 0..=dice.below(3) {
                        world.change(&mut sent, &mut dice).await;
                    }
                    wrong.extend(world.bad(endpoint, sent).await.err());
                }
            }
            wrong.extend(world.good(endpoint).await.err().map(|why| format!("afterwards: {why}")));
        }
        assert!(wrong.is_empty(), "LATCHKEY_SEED={seed}: {} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}
