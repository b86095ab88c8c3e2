//! What configuration is made of: mistakes that are collected, not thrown, and the types that settings share.

mod settings;

use std::{fmt, net::SocketAddr};

use url::Url;

pub use settings::{Settings, Variables};

/// One thing that is wrong with the configuration: where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// `idp.issuer`
    pub key: String,
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// Collects mistakes under a prefix.
#[derive(Debug, Default)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    pub fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Mistake { key: key.into(), message: message.into() });
    }
}

/// One line each.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

/// Whether http may be used with this URL: its host is this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Checks a public address of a service: an https origin with an optional path, http only on loopback,
/// no query, fragment or credentials.
pub fn check_public_url(key: &str, text: &str, mistakes: &mut Mistakes) {
    let Ok(url) = Url::parse(text) else {
        return mistakes.add(key, format!("{text:?} is not a URL"));
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => mistakes.add(key, "http is only for this machine (localhost); use https"),
        _ => mistakes.add(key, "must be an https URL"),
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        mistakes.add(key, "must not have a query, a fragment or credentials");
    }
    if text.ends_with('/') {
        mistakes.add(key, "must not end with a slash");
    }
}

/// `scheme://host[:port]` of a URL, as browsers write it in `Origin`.
#[must_use]
pub fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
}

/// 127.0.0.1 and ::1 with this port: where each service listens unless told otherwise.
#[must_use]
pub fn loopback(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))]
}
