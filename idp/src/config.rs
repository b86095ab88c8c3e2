//! What an operator can set, with what holds when nothing is set. Durations are in seconds.

mod client;
mod limits;
mod mail;
mod records;
mod resource;
mod token_exchange;
mod upstream;

use std::{net::SocketAddr, path::PathBuf};

use chrono::TimeDelta;
use ipnet::IpNet;
use platform::{
    config::{Mistakes, check_public_url, loopback},
    place::Look,
    tls::{self, Reached, Tls},
};
use serde::Deserialize;

use crate::{admin, outbound, store::clients::Profile};

pub use client::ClientConfig;
pub use limits::{Passwords, Sessions, Throttle, Tokens};
pub use mail::{EmailVerification, Mail, MailTls};
pub use records::{Audit, Refusals};
pub use resource::Resource;
pub use token_exchange::TokenExchange;
pub use upstream::{Upstream, UpstreamKind};

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The issuer identifier: the public origin, without a path.
    pub issuer: String,
    pub listen: Vec<SocketAddr>,
    /// https by ourselves; without it, a proxy speaks it.
    pub tls: Option<Tls>,
    /// `sqlite:<path>` or `postgres://…`
    pub database_url: String,
    pub keys_dir: PathBuf,
    /// The place's name, on every page.
    pub name: String,
    pub look: Look,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether anybody may make an account.
    pub sign_up: bool,
    /// How long people can change their minds after they have deleted their account.
    pub deletion_grace: u32,
    /// Whether nobody gets in by one factor.
    pub require_second_factor: bool,
    /// Whether people may log in with passkeys.
    pub passkeys: bool,
    /// Whether people have to show that an address is theirs.
    pub email_verification: EmailVerification,
    /// Whether people may log in by a code that they are mailed.
    pub mailed_code_login: bool,
    pub mail: Mail,
    /// RFC 9449 §8: DPoP proofs have to hold a nonce of ours.
    pub require_dpop_nonce: bool,
    pub tokens: Tokens,
    pub sessions: Sessions,
    pub passwords: Passwords,
    pub throttle: Throttle,
    pub audit: Audit,
    pub refusals: Refusals,
    /// Whether apps may register themselves (RFC 7591).
    pub registration: Registration,
    /// Which rules apps that do are held to. Default: as for others.
    pub registration_profile: Option<Profile>,
    /// Whether a client's id may be the address of a document that describes it.
    pub client_id_metadata_documents: bool,
    pub outbound: Outbound,
    pub clients: Vec<ClientConfig>,
    /// APIs that access tokens may be asked for (RFC 8707).
    pub resources: Vec<Resource>,
    /// Who may exchange whose tokens (RFC 8693).
    pub token_exchange: Vec<TokenExchange>,
    /// Providers that people may log in by.
    pub upstreams: Vec<Upstream>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: "http://localhost:9000".to_owned(),
            listen: loopback(9000),
            tls: None,
            database_url: "sqlite:data/idp.db".to_owned(),
            keys_dir: "keys".into(),
            name: "Latchkey".to_owned(),
            look: Look::default(),
            trusted_proxies: Vec::new(),
            sign_up: true,
            deletion_grace: 14 * 86400,
            require_second_factor: false,
            passkeys: true,
            email_verification: EmailVerification::Optional,
            mailed_code_login: false,
            mail: Mail::default(),
            require_dpop_nonce: false,
            tokens: Tokens::default(),
            sessions: Sessions::default(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            audit: Audit::default(),
            refusals: Refusals::default(),
            registration: Registration::Token,
            registration_profile: None,
            client_id_metadata_documents: false,
            outbound: Outbound::default(),
            clients: Vec::new(),
            resources: Vec::new(),
            token_exchange: Vec::new(),
            upstreams: Vec::new(),
        }
    }
}

/// Who may register an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Operators.
    Closed,
    /// Whoever has a token of theirs.
    Token,
    /// Anybody.
    Open,
}

/// Requests that clients' settings make us send.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Networks that may be reached although they are not public.
    pub allowed_addresses: Vec<IpNet>,
    /// Authorities to trust beside the system's: certificates in PEM.
    pub ca_file: Option<PathBuf>,
    /// URIs that this program itself has registered, which are asked wherever they are.
    #[serde(skip)]
    pub own: Vec<String>,
}

impl Config {
    /// Adds everything that is wrong.
    pub fn check(&self, mistakes: &mut Mistakes) {
        check_public_url("idp.issuer", &self.issuer, mistakes);
        if platform::config::origin(&self.issuer) != self.issuer {
            mistakes.add("idp.issuer", "must be an origin such as https://id.example, without a path");
        }
        if self.listen.is_empty() {
            mistakes.add("idp.listen", "names no address to listen on");
        }
        Reached {
            section: "idp",
            public_url: &self.issuer,
            listen: &self.listen,
            tls: self.tls.as_ref(),
            trusted_proxies: &self.trusted_proxies,
        }
        .check(mistakes);
        if let Err(message) = platform::db::check_url(&self.database_url) {
            mistakes.add("idp.database_url", message);
        }
        if self.keys_dir.as_os_str().is_empty() {
            mistakes.add("idp.keys_dir", "must not be empty");
        }
        if self.name.trim().is_empty() {
            mistakes.add("idp.name", "must not be empty");
        }
        self.look.check("idp", mistakes);
        self.mail.check(self, mistakes);
        self.tokens.check(mistakes);
        if self.sessions.idle == 0 || self.sessions.idle > self.sessions.lifetime {
            mistakes.add("idp.sessions.idle", "must be between 1 second and idp.sessions.lifetime");
        }
        if let Err(reason) = crate::password::Argon2Cost::of(&self.passwords) {
            mistakes.add("idp.passwords", reason);
        }
        if self.passwords.memory > 4 * 1024 * 1024 {
            mistakes.add("idp.passwords.memory", "is in KiB, and may be at most 4194304 (4 GiB)");
        }
        if self.throttle.longest_wait == 0 {
            mistakes.add("idp.throttle.longest_wait", "must be at least 1 second");
        }
        if self.passwords.queue == 0 {
            mistakes.add("idp.passwords.queue", "must be at least 1");
        }
        if self.passwords.min_score > 4 {
            mistakes.add("idp.passwords.min_score", "is a zxcvbn score: 0 to 4");
        }
        tls::check_ca_file("idp.outbound", self.outbound.ca_file.as_deref(), mistakes);
        for (index, resource) in self.resources.iter().enumerate() {
            resource.check(index, self, mistakes);
        }
        for (index, client) in self.clients.iter().enumerate() {
            for reason in admin::clients::check(client) {
                mistakes.add(format!("idp.clients[{index}]"), reason);
            }
            for (key, uri) in
                [("jwks_uri", &client.jwks_uri), ("backchannel_logout_uri", &client.backchannel_logout_uri)]
            {
                if let Some(reason) = uri.as_deref().and_then(|uri| outbound::refuse_declaration(uri, self)) {
                    mistakes.add(format!("idp.clients[{index}].{key}"), reason);
                }
            }
            if self.clients.iter().take(index).any(|other| other.client_id == client.client_id) {
                mistakes.add(format!("idp.clients[{index}].client_id"), "is used twice");
            }
        }
        for (index, rule) in self.token_exchange.iter().enumerate() {
            rule.check(index, self, mistakes);
        }
        for (index, upstream) in self.upstreams.iter().enumerate() {
            upstream.check(index, self, mistakes);
        }
    }
}

/// A number of seconds from the configuration as a span of time.
#[must_use]
pub fn seconds(seconds: u32) -> TimeDelta {
    TimeDelta::seconds(seconds.into())
}
