//! Requests that a client's settings make us send: for the keys at its `jwks_uri`, with logout tokens. Whoever
//! registers a client chooses where they go: none may reach what only this machine can reach. The same holds for
//! requests to the providers that people come from, whose metadata says where they go.
//!
//! https; names are resolved here and connections go to the addresses that were checked, so that a name which
//! changes its mind in between gains nothing; no redirects, no proxies, limits on time and size.

mod addresses;
pub mod kept;

use std::{
    error::Error as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use platform::{config::is_loopback, tls};
use reqwest::{
    RequestBuilder, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header, redirect,
};
use url::{Host, Url, form_urlencoded::byte_serialize};

use crate::{config::Config, oauth2::redirect_uri};

/// For everything from the name to the last byte of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest document that is read, in bytes.
const MAX_DOCUMENT: usize = 64 * 1024;
const JSON: &str = "application/json";

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Connects to addresses that were checked.
    checked: reqwest::Client,
    /// Connects to anything: for what nobody but we ourselves chose.
    unchecked: reqwest::Client,
    allowed: Arc<[IpNet]>,
    own: Arc<[String]>,
    /// Plain http is spoken on this machine, with those who speak it with us.
    http_on_loopback: bool,
}

/// Why there is no answer; for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is no URL that is asked: it {0}")]
    Refused(&'static str),
    #[error("{0}")]
    Failed(String),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("the answer is larger than {MAX_DOCUMENT} bytes")]
    TooLarge,
}

impl From<reqwest::Error> for Error {
    /// With the causes, and without the URL: its query may be a secret.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self::Failed(text)
    }
}

impl Outbound {
    /// `Err` says which setting cannot be used.
    pub fn new(config: &Config) -> Result<Self, String> {
        Self::resolving(config, Arc::new(System))
    }

    fn resolving(config: &Config, lookup: Arc<dyn Resolve>) -> Result<Self, String> {
        let settings = &config.outbound;
        let allowed: Arc<[IpNet]> = settings.allowed_addresses.clone().into();
        let client = || {
            reqwest::Client::builder()
                .user_agent(concat!("latchkey-idp/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .timeout(TIMEOUT)
        };
        let build = |builder: reqwest::ClientBuilder| {
            let trusting = tls::trusting(builder, settings.ca_file.as_deref())?;
            trusting.build().map_err(|error| format!("cannot make an HTTP client: {error}"))
        };
        let checked = Checked { lookup, allowed: allowed.clone() };
        Ok(Self {
            checked: build(client().dns_resolver(Arc::new(checked)))?,
            unchecked: build(client())?,
            allowed,
            own: settings.own.clone().into(),
            http_on_loopback: http_on_loopback(&config.issuer),
        })
    }

    /// The document at `uri`.
    pub async fn get(&self, uri: &str) -> Result<Vec<u8>, Error> {
        let (client, url) = self.admit(uri)?;
        fine(answer(client.get(url)).await?)
    }

    /// The document at `uri`, which is shown to the holder of an access token (RFC 6750 §2.1).
    pub async fn get_as(&self, uri: &str, access_token: &str) -> Result<Vec<u8>, Error> {
        let (client, url) = self.admit(uri)?;
        let request = client.get(url).bearer_auth(access_token).header(header::ACCEPT, JSON);
        fine(answer(request).await?)
    }

    /// Posts a form, as the client with this id and secret if there is one (RFC 6749 §2.3.1). What is refused
    /// has an answer, too.
    pub async fn post_for(
        &self,
        uri: &str,
        form: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Result<(StatusCode, Vec<u8>), Error> {
        let (client, url) = self.admit(uri)?;
        let request = client.post(url).form(form).header(header::ACCEPT, JSON);
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        answer(match basic {
            Some((id, secret)) => request.basic_auth(encoded(id), Some(encoded(secret))),
            None => request,
        })
        .await
    }

    /// Posts a form; what is answered beyond the status is not read.
    pub async fn post(&self, uri: &str, form: &[(&str, &str)]) -> Result<StatusCode, Error> {
        let (client, url) = self.admit(uri)?;
        Ok(client.post(url).form(form).send().await?.status())
    }

    fn admit(&self, uri: &str) -> Result<(&reqwest::Client, Url), Error> {
        let url = Url::parse(uri).map_err(|_| Error::Refused("cannot be read"))?;
        if self.own.iter().any(|own| own == uri) {
            return Ok((&self.unchecked, url));
        }
        let refused = refuse_registration(uri).or_else(|| refuse(&url, &self.allowed, self.http_on_loopback));
        match refused {
            Some(reason) => Err(Error::Refused(reason)),
            None => Ok((&self.checked, url)),
        }
    }
}

fn fine((status, document): (StatusCode, Vec<u8>)) -> Result<Vec<u8>, Error> {
    if status == StatusCode::OK { Ok(document) } else { Err(Error::Status(status)) }
}

async fn answer(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), Error> {
    let mut response = request.send().await?;
    let mut document = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if document.len() + chunk.len() > MAX_DOCUMENT {
            return Err(Error::TooLarge);
        }
        document.extend_from_slice(&chunk);
    }
    Ok((response.status(), document))
}

/// Why a declared client's URI could never be asked, whatever its name resolves to.
#[must_use]
pub fn refuse_declaration(uri: &str, config: &Config) -> Option<&'static str> {
    let url = Url::parse(uri).ok()?;
    refuse(&url, &config.outbound.allowed_addresses, http_on_loopback(&config.issuer))
}

fn http_on_loopback(issuer: &str) -> bool {
    Url::parse(issuer).is_ok_and(|issuer| issuer.scheme() == "http" && is_loopback(&issuer))
}

fn refuse(url: &Url, allowed: &[IpNet], http_on_loopback: bool) -> Option<&'static str> {
    if url.scheme() != "https" && !http_on_loopback {
        return Some("is http, and the issuer is not");
    }
    // Nobody asks a resolver for what is an address already, nor for what always means this machine.
    let addresses: &[IpAddr] = match url.host() {
        Some(Host::Ipv4(address)) => &[address.into()],
        Some(Host::Ipv6(address)) => &[address.into()],
        Some(Host::Domain("localhost")) => &[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        _ => return None,
    };
    let reached = addresses.iter().any(|address| addresses::may_reach(*address, allowed));
    (!reached).then_some("has an address that is not public, and not in idp.outbound.allowed_addresses")
}

/// Why a URI of ours to ask cannot be registered.
#[must_use]
pub fn refuse_registration(uri: &str) -> Option<&'static str> {
    let web = uri.starts_with("https:") || uri.starts_with("http:");
    let other = (!web).then_some("must be https; http is only for this machine");
    redirect_uri::refuse_registration(uri).or(other)
}

/// Resolves names to those of their addresses that may be reached. Connections are made to what this answers,
/// and to nothing else.
struct Checked {
    lookup: Arc<dyn Resolve>,
    allowed: Arc<[IpNet]>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.lookup.resolve(name);
        let allowed = self.allowed.clone();
        Box::pin(async move {
            let mut reachable =
                found.await?.filter(|found| addresses::may_reach(found.ip(), &allowed)).peekable();
            match reachable.peek() {
                Some(_) => Ok(Box::new(reachable.collect::<Vec<_>>().into_iter()) as Addrs),
                None => Err("it has no public address, and none that is allowed".into()),
            }
        })
    }
}

struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
