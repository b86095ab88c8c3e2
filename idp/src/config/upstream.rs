//! Providers that people may log in by.

use std::path::PathBuf;

use platform::config::Mistakes;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::Config;
use crate::{oauth2::scope, outbound};

const MAX_ID: usize = 40;
const MAX_NAME: usize = 40;
const GITHUB: &str = "https://github.com";

/// A provider that people may come from, which knows us as its client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upstream {
    /// Names it in addresses: the redirect URI that it has to know is `<idp.issuer>/login/upstream/<id>/callback`.
    pub id: String,
    /// As people know it.
    pub name: String,
    pub kind: UpstreamKind,
    /// Exactly as its metadata and its ID tokens say it. Default for GitHub: `https://github.com`.
    pub issuer: Option<String>,
    pub client_id: String,
    pub client_secret: Option<SecretString>,
    pub client_secret_file: Option<PathBuf>,
    /// Default: `openid profile email`; for GitHub `read:user user:email`.
    pub scope: Option<String>,
    /// Whether who comes from there may make an account. Default: `idp.sign_up`.
    pub allow_sign_up: Option<bool>,
    /// Whether an address is somebody's when it says that it has verified it. Default: true.
    pub trust_email: Option<bool>,
}

/// What it speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamKind {
    /// OpenID Connect.
    #[default]
    Oidc,
    /// OAuth 2.0, and an API that says who logged in.
    GitHub,
}

impl Upstream {
    /// The issuer identifier, which identities there are known by.
    #[must_use]
    pub fn issuer(&self) -> &str {
        let default = match self.kind {
            UpstreamKind::Oidc => "",
            UpstreamKind::GitHub => GITHUB,
        };
        self.issuer.as_deref().unwrap_or(default)
    }

    /// What it is asked for.
    #[must_use]
    pub fn scope(&self) -> &str {
        let default = match self.kind {
            UpstreamKind::Oidc => "openid profile email",
            UpstreamKind::GitHub => "read:user user:email",
        };
        self.scope.as_deref().unwrap_or(default)
    }

    #[must_use]
    pub fn trusts_email(&self) -> bool {
        self.trust_email.unwrap_or(true)
    }

    pub(super) fn check(&self, index: usize, config: &Config, mistakes: &mut Mistakes) {
        let mut add =
            |key: &str, message: &str| mistakes.add(format!("idp.upstreams[{index}].{key}"), message);
        let in_addresses = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.id.is_empty() || self.id.len() > MAX_ID || !self.id.bytes().all(in_addresses) {
            add("id", "must be 1 to 40 of a to z, 0 to 9 and -: it is a part of addresses");
        }
        if config.upstreams.iter().take(index).any(|other| other.id == self.id) {
            add("id", "is used twice");
        }
        let length = self.name.trim().chars().count();
        if length == 0 || length > MAX_NAME || self.name.contains(char::is_control) {
            add("name", "must be 1 to 40 characters: what people know it by");
        }
        if let Some(reason) = self.refuse_issuer(config) {
            add("issuer", reason);
        }
        if self.client_id.is_empty() {
            add("client_id", "is missing: how the provider knows this place");
        }
        match (&self.client_secret, &self.client_secret_file) {
            (Some(_), Some(_)) => add("client_secret", "and client_secret_file exclude each other"),
            (None, None) => add("client_secret", "is missing: it comes with the client_id"),
            (None, Some(path)) => {
                if let Err(error) = std::fs::read_to_string(path) {
                    add("client_secret_file", &format!("cannot be read: {error}"));
                }
            }
            (Some(_), None) => {}
        }
        match scope::parse(self.scope()) {
            None => add("scope", "has characters that a scope may not"),
            Some(_) if self.kind == UpstreamKind::Oidc && !scope::has(self.scope(), "openid") => {
                add("scope", "must hold openid: without it nobody says who logged in");
            }
            Some(_) => {}
        }
    }

    fn refuse_issuer(&self, config: &Config) -> Option<&'static str> {
        let issuer = self.issuer();
        let Ok(url) = Url::parse(issuer) else { return Some("must be the provider's https URL") };
        if url.query().is_some() {
            return Some("must not have a query");
        }
        if issuer.trim_end_matches('/') == config.issuer {
            return Some("is this place itself");
        }
        // Their tokens name the tenant that somebody is of, which could then be anybody's.
        let is_tenant = |url: &Url| {
            let tenant = url.path_segments().and_then(|mut segments| segments.next());
            tenant.is_some_and(|tenant| uuid::Uuid::parse_str(tenant).is_ok())
        };
        if url.host_str() == Some("login.microsoftonline.com") && !is_tenant(&url) {
            return Some(
                "must name one tenant by its id, as in https://login.microsoftonline.com/<tenant id>/v2.0: \
                 common, organizations and consumers are no issuers",
            );
        }
        outbound::refuse_registration(issuer).or_else(|| outbound::refuse_declaration(issuer, config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(change: impl FnOnce(&mut Upstream)) -> Vec<String> {
        let mut upstream = Upstream {
            id: "keycloak".to_owned(),
            name: "Keycloak".to_owned(),
            issuer: Some("https://sso.example/realms/all".to_owned()),
            client_id: "latchkey".to_owned(),
            client_secret: Some("secret".into()),
            ..Upstream::default()
        };
        change(&mut upstream);
        let config = Config { upstreams: vec![upstream], ..Config::default() };
        let mut mistakes = Mistakes::default();
        config.check(&mut mistakes);
        mistakes.0.into_iter().map(|mistake| mistake.key.replace("idp.upstreams[0].", "")).collect()
    }

    #[test]
    fn each_mistake_is_said_where_it_is() {
        assert_eq!(wrong(|_| {}), [""; 0]);
        let github = |upstream: &mut Upstream| {
            (upstream.kind, upstream.issuer) = (UpstreamKind::GitHub, None);
        };
        assert_eq!(wrong(github), [""; 0]);
        for id in ["", "A", "a/b", "a b", &"a".repeat(41)] {
            assert_eq!(wrong(|upstream| upstream.id = id.to_owned()), ["id"], "{id}");
        }
        for name in ["", " ", "a\nb", &"a".repeat(41)] {
            assert_eq!(wrong(|upstream| upstream.name = name.to_owned()), ["name"], "{name:?}");
        }
        for issuer in [
            "",
            "sso.example",
            "http://sso.example",
            "https://sso.example/?a",
            "https://sso.example#a",
            "https://10.0.0.1",
            "http://localhost:9000",
            "javascript:alert(1)",
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/contoso.example/v2.0",
        ] {
            assert_eq!(wrong(|upstream| upstream.issuer = Some(issuer.to_owned())), ["issuer"], "{issuer}");
        }
        let tenant = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
        assert_eq!(wrong(|upstream| upstream.issuer = Some(tenant.to_owned())), [""; 0]);
        assert_eq!(wrong(|upstream| upstream.client_id.clear()), ["client_id"]);
        assert_eq!(wrong(|upstream| upstream.client_secret = None), ["client_secret"]);
        assert_eq!(wrong(|upstream| upstream.client_secret_file = Some("x".into())), ["client_secret"]);
        let nowhere = |upstream: &mut Upstream| {
            (upstream.client_secret, upstream.client_secret_file) = (None, Some("no/such/file".into()));
        };
        assert_eq!(wrong(nowhere), ["client_secret_file"]);
        for scope in ["email", "open\"id"] {
            assert_eq!(wrong(|upstream| upstream.scope = Some(scope.to_owned())), ["scope"], "{scope}");
        }
    }
}
