//! Who may exchange whose tokens for what (RFC 8693): nobody, unless a rule says so.

use platform::config::Mistakes;
use serde::{Deserialize, Deserializer};

use super::Config;
use crate::{
    admin,
    oauth2::{redirect_uri, token::TOKEN_EXCHANGE},
    store::clients::{Client, Listed},
};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenExchange {
    /// Who exchanges.
    pub client: String,
    /// To whom the tokens were given.
    #[serde(deserialize_with = "one_or_several")]
    pub subject_client: Vec<String>,
    /// What they were given for, besides `client` itself and `audience`.
    #[serde(default, deserialize_with = "one_or_several")]
    pub subject_audience: Vec<String>,
    /// What the new tokens may be for.
    #[serde(deserialize_with = "one_or_several")]
    pub audience: Vec<String>,
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a list of texts")]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text],
        Texts::Several(texts) => texts,
    })
}

impl TokenExchange {
    /// Adds everything that is wrong with the rule at `index`.
    pub(super) fn check(&self, index: usize, config: &Config, mistakes: &mut Mistakes) {
        let mut wrong = |key: &str, reason: String| {
            mistakes.add(format!("idp.token_exchange[{index}].{key}"), reason);
        };
        if self.client.is_empty() {
            wrong("client", "must not be empty".to_owned());
        }
        // Others may be registered while Latchkey runs.
        let declared = config.clients.iter().find(|client| client.client_id == self.client);
        if declared.is_some_and(|client| !admin::clients::has_grant_type(client, TOKEN_EXCHANGE)) {
            wrong("client", format!("{:?} is declared without the grant type {TOKEN_EXCHANGE}", self.client));
        }
        for (key, values) in [("subject_client", &self.subject_client), ("audience", &self.audience)] {
            if values.is_empty() || values.iter().any(String::is_empty) {
                wrong(key, "must name at least one, and none that is empty".to_owned());
            }
        }
        for (key, values) in [("subject_audience", &self.subject_audience), ("audience", &self.audience)] {
            for value in values.iter().filter(|value| !redirect_uri::is_resource_identifier(value)) {
                wrong(key, format!("{value:?} is not an absolute URI without a fragment or spaces"));
            }
        }
    }
}

impl Config {
    /// Names in the rules that mean nobody among the clients that are `known`: one sentence each, for the log. They
    /// may be registered later.
    #[must_use]
    pub(crate) fn unknown_in_token_exchange(&self, known: &[Listed]) -> Vec<String> {
        let mut unknown = Vec::new();
        let known: Vec<&Client> = known.iter().map(|listed| &listed.client).collect();
        let client = |id: &str| known.iter().find(|client| client.id.0 == id);
        for (index, rule) in self.token_exchange.iter().enumerate() {
            let mut say = |key: &str, name: &str, what: &str| {
                unknown.push(format!("idp.token_exchange[{index}].{key}: {name:?} {what}"));
            };
            match client(&rule.client) {
                None => say("client", &rule.client, "is no client"),
                Some(client) if !client.grant_types.has(TOKEN_EXCHANGE) => {
                    say("client", &rule.client, "is registered without the grant type of token exchange");
                }
                Some(_) => {}
            }
            for name in rule.subject_client.iter().filter(|name| client(name).is_none()) {
                say("subject_client", name, "is no client");
            }
            for (key, names) in [("subject_audience", &rule.subject_audience), ("audience", &rule.audience)] {
                let is_audience = |name: &String| {
                    self.resources.iter().any(|resource| resource.identifier == *name)
                        || known.iter().any(|client| {
                            client.id.0 == *name
                                || client.audience.split_ascii_whitespace().any(|one| one == name)
                        })
                };
                for name in names.iter().filter(|name| !is_audience(name)) {
                    say(key, name, "is no resource, no client and no client's audience");
                }
            }
        }
        unknown
    }
}
