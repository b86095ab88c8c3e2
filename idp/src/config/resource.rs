//! APIs that tokens are for (RFC 8707): how long such tokens are good, and what they may hold.

use platform::config::Mistakes;
use serde::Deserialize;

use super::Config;
use crate::oauth2::{redirect_uri, scope};

/// An API. Its identifier is the audience of tokens for it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    pub identifier: String,
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Of access tokens for it, instead of `tokens.access_token_lifetime`.
    #[serde(default)]
    pub access_token_lifetime: Option<u32>,
}

impl Config {
    /// How long access tokens for these audiences are good, in seconds: as long as the strictest API allows.
    #[must_use]
    pub fn access_token_lifetime(&self, audience: &str) -> u32 {
        let of = |name: &str| {
            let known = self.resources.iter().find(|resource| resource.identifier == name);
            known.and_then(|resource| resource.access_token_lifetime)
        };
        let default = self.tokens.access_token_lifetime;
        audience.split_ascii_whitespace().map(|name| of(name).unwrap_or(default)).min().unwrap_or(default)
    }

    /// The part of `granted` that a token for these audiences gets: without the scopes that belong to other APIs
    /// only (RFC 8707 §3). An API that does not say which are its own gets all.
    #[must_use]
    pub fn scope_for(&self, audience: &str, granted: &str) -> String {
        let known = |name: &str| {
            let listed = |resource: &&Resource| resource.identifier == name && !resource.scopes.is_empty();
            self.resources.iter().find(listed)
        };
        let audiences: Option<Vec<&Resource>> = audience.split_ascii_whitespace().map(known).collect();
        let Some(audiences) = audiences.filter(|audiences| !audiences.is_empty()) else {
            return granted.to_owned();
        };
        let has = |resource: &Resource, word: &str| resource.scopes.iter().any(|scope| scope == word);
        let fits = |word: &&str| {
            audiences.iter().any(|resource| has(resource, word))
                || !self.resources.iter().any(|resource| has(resource, word))
        };
        granted.split(' ').filter(fits).collect::<Vec<_>>().join(" ")
    }

    /// How long any access token can be good, in seconds.
    #[must_use]
    pub fn longest_access_token_lifetime(&self) -> u32 {
        let own = self.resources.iter().filter_map(|resource| resource.access_token_lifetime);
        own.chain([self.tokens.access_token_lifetime]).max().unwrap_or_default()
    }
}

impl Resource {
    /// Adds everything that is wrong with the API at `index`.
    pub(super) fn check(&self, index: usize, config: &Config, mistakes: &mut Mistakes) {
        let mut wrong = |key: &str, reason: String| {
            mistakes.add(format!("idp.resources[{index}].{key}"), reason);
        };
        if !redirect_uri::is_resource_identifier(&self.identifier) {
            wrong("identifier", "must be an absolute URI without a fragment or spaces".to_owned());
        }
        if self.access_token_lifetime == Some(0) {
            wrong("access_token_lifetime", "must be at least 1 second".to_owned());
        }
        if config.resources.iter().take(index).any(|other| other.identifier == self.identifier) {
            wrong("identifier", "is used twice".to_owned());
        }
        let fits = |text: &str| {
            let single = !text.contains(' ') && !text.is_empty() && scope::parse(text).is_some();
            single && !scope::OPENID.contains(&text)
        };
        for scope in self.scopes.iter().filter(|scope| !fits(scope)) {
            wrong("scopes", format!("{scope:?} is not a scope that an API can have"));
        }
    }
}
