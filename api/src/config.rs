//! The task API's settings: `[api]` in `latchkey.toml`, `LATCHKEY_API__…` in the environment.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use platform::{
    config::{self, Mistakes},
    tls::{self, Reached, Tls},
};
use serde::Deserialize;

use crate::bearer;

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub listen: Vec<SocketAddr>,
    /// https by ourselves; without it, a proxy speaks it.
    pub tls: Option<Tls>,
    /// Where clients reach this API. Also its resource identifier (RFC 9728).
    pub public_url: String,
    /// The OpenID provider whose access tokens are accepted: exactly what they say in `iss`.
    pub issuer: String,
    /// What access tokens must name in `aud`; `public_url` when absent.
    pub audience: Option<String>,
    /// Where the issuer's keys are; found through its metadata when absent.
    pub jwks_uri: Option<String>,
    /// Authorities that are trusted beside the system's, when the issuer is called.
    pub ca_file: Option<PathBuf>,
    /// `sqlite:<path>` or `postgres://…`
    pub database_url: String,
    /// Origins whose scripts may call this API (CORS).
    pub allowed_origins: Vec<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Signature algorithms that are accepted; asymmetric ones only.
    pub algorithms: Vec<String>,
    /// Values of the `typ` header that are accepted; `none` is a token without one.
    pub token_types: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: config::loopback(8000),
            tls: None,
            public_url: "http://localhost:8000".into(),
            issuer: "http://localhost:9000".into(),
            audience: None,
            jwks_uri: None,
            ca_file: None,
            database_url: "sqlite:data/api.db".into(),
            allowed_origins: vec!["http://localhost:3000".into()],
            trusted_proxies: Vec::new(),
            algorithms: ["RS256", "PS256", "ES256", "EdDSA"].map(String::from).into(),
            token_types: vec!["at+jwt".into()],
        }
    }
}

impl Config {
    #[must_use]
    pub fn audience(&self) -> &str {
        self.audience.as_deref().unwrap_or(&self.public_url)
    }

    pub fn check(&self, mistakes: &mut Mistakes) {
        if self.listen.is_empty() {
            mistakes.add("api.listen", "must name at least one address");
        }
        Reached {
            section: "api",
            public_url: &self.public_url,
            listen: &self.listen,
            tls: self.tls.as_ref(),
            trusted_proxies: &self.trusted_proxies,
        }
        .check(mistakes);
        config::check_public_url("api.public_url", &self.public_url, mistakes);
        // Some providers' issuers end with a slash, and `iss` is compared byte for byte.
        let issuer = self.issuer.strip_suffix('/').unwrap_or(&self.issuer);
        config::check_public_url("api.issuer", issuer, mistakes);
        if self.audience().is_empty() {
            mistakes.add("api.audience", "must not be empty");
        }
        if let Some(uri) = &self.jwks_uri
            && !crate::jwks::may_fetch(uri)
        {
            mistakes.add("api.jwks_uri", "must be an https URL (http only on localhost)");
        }
        tls::check_ca_file("api", self.ca_file.as_deref(), mistakes);
        if let Err(message) = platform::db::check_url(&self.database_url) {
            mistakes.add("api.database_url", message);
        }
        for origin in &self.allowed_origins {
            if config::origin(origin) != *origin {
                let message = format!("{origin:?} is not an origin such as https://app.example.com");
                mistakes.add("api.allowed_origins", message);
            }
        }
        if self.algorithms.is_empty() {
            mistakes.add("api.algorithms", "must name at least one algorithm");
        }
        for name in &self.algorithms {
            if !bearer::is_asymmetric(name) {
                let message = format!(
                    "{name:?} is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
                );
                mistakes.add("api.algorithms", message);
            }
        }
        if self.token_types.is_empty() {
            mistakes.add("api.token_types", "must name at least one type, for example \"at+jwt\"");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_good_and_every_mistake_is_told_at_once() {
        let mut mistakes = Mistakes::default();
        Config::default().check(&mut mistakes);
        assert_eq!(mistakes.0, []);

        let config = Config {
            public_url: "http://api.example.com".into(),
            issuer: "ftp://issuer".into(),
            jwks_uri: Some("http://keys.example.com/jwks".into()),
            database_url: "mysql://db".into(),
            allowed_origins: vec!["*".into(), "https://app.example.com/".into()],
            algorithms: vec!["none".into(), "HS256".into()],
            token_types: vec![],
            ..Config::default()
        };
        config.check(&mut mistakes);
        let keys: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "api.public_url",
                "api.issuer",
                "api.jwks_uri",
                "api.database_url",
                "api.allowed_origins",
                "api.allowed_origins",
                "api.algorithms",
                "api.algorithms",
                "api.token_types"
            ]
        );
    }

    #[test]
    fn an_issuer_may_end_with_a_slash() {
        let mut mistakes = Mistakes::default();
        Config { issuer: "https://tenant.example.com/".into(), ..Config::default() }.check(&mut mistakes);
        assert_eq!(mistakes.0, []);
    }
}
