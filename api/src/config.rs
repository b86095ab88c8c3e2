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
    /// What a log-in must be like for some requests (RFC 9470).
    pub step_up: Vec<StepUp>,
}

/// Requests for which an access token is not enough whose person logged in too long ago, or in another way.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepUp {
    /// `DELETE`; every method when absent.
    pub method: Option<String>,
    /// As it is documented: `/api/{user_id}/tasks/{id}`.
    pub path: String,
    /// Seconds since the person proved who they are.
    pub max_age: Option<u32>,
    /// One of them must be the token's `acr`.
    pub acr_values: Vec<String>,
}

/// What a [`StepUp`] may be about.
const PATHS: [&str; 3] =
    ["/api/{user_id}/tasks", "/api/{user_id}/tasks/{id}", "/api/{user_id}/tasks/{id}/complete"];
/// Less than this a person cannot keep to.
const SHORTEST_MAX_AGE: u32 = 60;

impl StepUp {
    fn check(&self, key: &str, mistakes: &mut Mistakes) {
        if !PATHS.contains(&self.path.as_str()) {
            mistakes.add(format!("{key}.path"), format!("must be one of {}", PATHS.join(", ")));
        }
        if let Some(method) = &self.method
            && !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str())
        {
            mistakes.add(format!("{key}.method"), format!("{method:?} is not a method of this API"));
        }
        if self.max_age.is_none() && self.acr_values.is_empty() {
            mistakes.add(key, "demands nothing: set max_age or acr_values");
        }
        if self.max_age.is_some_and(|max_age| max_age < SHORTEST_MAX_AGE) {
            mistakes.add(format!("{key}.max_age"), "must be at least 60 seconds");
        }
        let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
        if self.acr_values.iter().any(|acr| acr.is_empty() || !acr.bytes().all(allowed)) {
            mistakes.add(format!("{key}.acr_values"), "must be texts without spaces and quotes");
        }
    }
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
            step_up: Vec::new(),
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
        for (index, step_up) in self.step_up.iter().enumerate() {
            step_up.check(&format!("api.step_up[{index}]"), mistakes);
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
