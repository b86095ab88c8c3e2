//! Why requests were refused, for whoever is told a reference: `latchkey explain <reference>`.
//!
//! Whoever handles a request notes what it was given, and each type of error which rule refused it. The row is written
//! behind the answer, by one task, in batches: a flood of refused requests costs a place in a bounded queue each, and
//! what is more than its share is dropped, and counted.

mod advice;
mod writer;

use std::{cell::RefCell, fmt::Display};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use platform::{http, pages::FormError};
use serde_json::{Map, Value};

pub use advice::advice;
pub use writer::Refusals;

use crate::{
    oauth2::parameters::Parameters,
    store::{ClientId, UserId},
};

/// How times are noted.
pub const MOMENT: &str = "%Y-%m-%d %H:%M:%S UTC";
/// What is noted of one value, in characters.
const LONGEST: usize = 300;
/// Parameters whose values are no secrets.
const SHOWN: [&str; 18] = [
    "audience",
    "client_id",
    "code_challenge_method",
    "grant_type",
    "max_age",
    "post_logout_redirect_uri",
    "prompt",
    "redirect_uri",
    "requested_token_type",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "token_type_hint",
    "subject_token_type",
    "actor_token_type",
    "client_assertion_type",
    "acr_values",
];
/// Parameters of which only is said that they were there.
const MENTIONED: [&str; 12] = [
    "actor_token",
    "client_assertion",
    "client_secret",
    "code",
    "code_challenge",
    "code_verifier",
    "device_code",
    "id_token_hint",
    "refresh_token",
    "request",
    "request_uri",
    "subject_token",
];

#[derive(Default)]
struct Notes {
    refused: Option<(&'static str, String)>,
    client_id: Option<ClientId>,
    user_id: Option<UserId>,
    inputs: Map<String, Value>,
}

tokio::task_local! {
    static NOTES: RefCell<Notes>;
}

fn note(write: impl FnOnce(&mut Notes)) {
    // Outside of a request, or where nothing is refused, nobody reads it.
    let _ = NOTES.try_with(|notes| notes.try_borrow_mut().map(|mut notes| write(&mut notes)));
}

/// The request is refused: `error` is the code that the client is told, or what kind of page it is, `rule` what the log
/// says. The first counts.
pub fn refused(error: &'static str, rule: impl Display) {
    note(|notes| {
        notes.refused.get_or_insert_with(|| (error, shown(&rule.to_string())));
    });
}

/// Something that the request is judged by. Never a secret.
pub fn input(name: &str, value: impl Display) {
    note(|notes| {
        notes.inputs.insert(name.to_owned(), shown(&value.to_string()).into());
    });
}

/// What a request of a client was sent with.
pub fn parameters(parameters: &Parameters) {
    note(|notes| {
        for name in SHOWN {
            let values: Vec<&str> = parameters.all(name).collect();
            if !values.is_empty() {
                notes.inputs.insert(name.to_owned(), shown(&values.join(" ")).into());
            }
        }
        for name in MENTIONED.into_iter().filter(|name| parameters.get(name).is_some()) {
            notes.inputs.insert(name.to_owned(), "(sent)".into());
        }
    });
}

/// The client that the request is from, as soon as there is one.
pub fn client(id: &ClientId) {
    note(|notes| notes.client_id = Some(id.clone()));
}

/// The person that the request is about.
pub fn user(id: UserId) {
    note(|notes| notes.user_id = Some(id));
}

/// What people are shown, to ask about: the id of the request.
pub fn reference() -> String {
    http::current().id.to_string()
}

/// Cut, fit for a terminal, and without what somebody has put into the wrong place: tokens of ours, and JWTs.
fn shown(value: &str) -> String {
    let separates = |character: char| !(character.is_alphanumeric() || "_-.".contains(character));
    let mut text = String::new();
    for word in value.split_inclusive(separates) {
        let ours = word.starts_with("lk") && word.as_bytes().get(3) == Some(&b'_');
        if word.len() > 40 && (ours || word.starts_with("eyJ")) {
            text.push_str(word.get(..4).unwrap_or_default());
            text.push('…');
        } else {
            text.extend(word.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }));
        }
    }
    if text.chars().count() > LONGEST { text.chars().take(LONGEST).chain(['…']).collect() } else { text }
}

/// Around everything that refuses.
pub async fn layer(State(refusals): State<Refusals>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let handling = async {
        let response = next.run(request).await;
        if let Some(error) = response.extensions().get::<FormError>() {
            refused("form", error);
        }
        (response, NOTES.with(RefCell::take))
    };
    let (response, notes) = NOTES.scope(RefCell::default(), handling).await;
    if let Some((error, rule)) = notes.refused {
        let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
        refusals.queue(route, error, rule, notes.client_id, notes.user_id, notes.inputs);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_the_wrong_place_are_not_shown() {
        let token = format!("lkr_{}", "x".repeat(43));
        assert_eq!(
            shown(&format!("https://app.example/cb?t={token}&u=1")),
            "https://app.example/cb?t=lkr_…u=1"
        );
        assert_eq!(shown(&format!("eyJ{}.a.b", "x".repeat(43))), "eyJx…");
        assert_eq!(shown("openid tasks:read"), "openid tasks:read");
        assert_eq!(shown("\u{1b}[2J\0"), "\u{fffd}[2J\u{fffd}");
        assert_eq!(shown(&"a".repeat(400)).chars().count(), LONGEST + 1);
    }
}
