//! The settings under `[web]`.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use platform::{
    config::{Mistakes, check_public_url, loopback},
    place::Look,
    secret::{ExposeSecret, SecretString},
    tls::{self, Reached, Tls},
};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// https by ourselves; without it, a proxy speaks it.
    pub tls: Option<Tls>,
    /// Where people find the pages, without a slash at the end.
    pub public_url: String,
    /// The OpenID provider.
    pub issuer: String,
    pub client_id: String,
    /// What `client_id` proves itself with; or `client_secret_file`, which holds it.
    pub client_secret: Option<SecretString>,
    pub client_secret_file: Option<PathBuf>,
    /// The task API's public URL, which is also the audience of its tokens.
    pub api_url: String,
    /// Authorities that are trusted beside the system's, when the provider and the API are called.
    pub ca_file: Option<PathBuf>,
    /// `sqlite:<path>` or `postgres://…`.
    pub database_url: SecretString,
    /// What the place is called on its pages.
    pub name: String,
    pub look: Look,
    /// Seconds after which a session that nobody uses ends.
    pub session_idle_lifetime: u32,
    /// Seconds after which every session ends.
    pub session_lifetime: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: loopback(3000),
            tls: None,
            public_url: "http://localhost:3000".into(),
            issuer: "http://localhost:9000".into(),
            client_id: "latchkey-web".into(),
            client_secret: None,
            client_secret_file: None,
            api_url: "http://localhost:8000".into(),
            ca_file: None,
            database_url: "sqlite:data/web.db".into(),
            name: "Latchkey Tasks".into(),
            look: Look::default(),
            session_idle_lifetime: 7 * 86_400,
            session_lifetime: 30 * 86_400,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Config {
    /// Adds what is wrong with these settings, under `web.…`.
    pub fn check(&self, mistakes: &mut Mistakes) {
        check_public_url("web.public_url", &self.public_url, mistakes);
        check_public_url("web.issuer", self.issuer.trim_end_matches('/'), mistakes);
        check_public_url("web.api_url", &self.api_url, mistakes);
        // Cookies and local paths belong to an origin; a path below it would share both with strangers.
        if url::Url::parse(&self.public_url).is_ok_and(|url| url.path() != "/") {
            mistakes.add("web.public_url", "must be an origin, without a path");
        }
        self.look.check("web", mistakes);
        if self.listen.is_empty() {
            mistakes.add("web.listen", "name at least one address");
        }
        Reached {
            section: "web",
            public_url: &self.public_url,
            listen: &self.listen,
            tls: self.tls.as_ref(),
            trusted_proxies: &self.trusted_proxies,
        }
        .check(mistakes);
        tls::check_ca_file("web", self.ca_file.as_deref(), mistakes);
        if self.client_id.is_empty() {
            mistakes.add("web.client_id", "must not be empty");
        }
        if self.client_secret.is_some() && self.client_secret_file.is_some() {
            mistakes.add("web.client_secret_file", "give either this or client_secret, not both");
        }
        if self.client_secret_file.is_some()
            && let Err(message) = self.client_secret()
        {
            mistakes.add("web.client_secret_file", message);
        }
        if let Err(message) = platform::db::check_url(self.database_url.expose_secret()) {
            mistakes.add("web.database_url", message);
        }
        if self.name.trim().is_empty() {
            mistakes.add("web.name", "must not be empty");
        }
        if self.session_idle_lifetime == 0 || self.session_idle_lifetime > self.session_lifetime {
            mistakes.add("web.session_idle_lifetime", "must be from 1 second to session_lifetime");
        }
    }

    /// The client secret, from wherever the settings have it.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub(crate) fn client_secret(&self) -> Result<SecretString, String> {
        match (&self.client_secret, &self.client_secret_file) {
            (Some(secret), _) => Ok(secret.clone()),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map(|text| text.trim().to_owned().into())
                .map_err(|error| format!("cannot read {}: {error}", path.display())),
            (None, None) => Err("web.client_secret or web.client_secret_file is needed".into()),
        }
    }
}
