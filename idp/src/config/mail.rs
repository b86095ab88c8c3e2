//! Where mail goes: to an SMTP server, or nowhere while Latchkey is tried out on one machine.

use std::path::PathBuf;

use platform::{
    config::{Mistakes, is_loopback},
    secret::SecretString,
    tls,
};
use serde::Deserialize;
use url::{Host, Url};

use super::Config;
use crate::mail;

/// The longest that a server may take to answer, so that a mail's lease outlasts it. Seconds.
const MAX_TIMEOUT: u32 = 300;

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// The SMTP server's name. Without one, mails are shown at `/dev/mail`.
    pub host: Option<String>,
    /// Default: 587 for `starttls`, 465 for `tls`, 25 for `none`.
    pub port: Option<u16>,
    pub tls: MailTls,
    pub username: Option<String>,
    /// What `username` proves itself with; or `password_file`, which holds it.
    pub password: Option<SecretString>,
    pub password_file: Option<PathBuf>,
    /// `alice@example.com` or `Alice <alice@example.com>`
    pub from: Option<String>,
    /// How long the server may take for one mail. Seconds.
    pub timeout: u32,
    /// Authorities that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Whether people have to show that an address is theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailVerification {
    /// Nobody is asked.
    Off,
    /// They are asked after they have signed up; nothing depends on it.
    Optional,
    /// Nobody has an account, or logs in, before.
    Required,
}

/// How the way to the SMTP server is protected. There is no "if the server can".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// RFC 3207.
    StartTls,
    /// From the first byte: RFC 8314 §3.3.
    Tls,
    /// To this machine only.
    None,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            tls: MailTls::StartTls,
            username: None,
            password: None,
            password_file: None,
            from: None,
            timeout: 30,
            ca_file: None,
        }
    }
}

impl Mail {
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::StartTls => 587,
            MailTls::Tls => 465,
            MailTls::None => 25,
        })
    }

    /// The password, from wherever the settings have it.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub(crate) fn password(&self) -> Result<Option<SecretString>, String> {
        match (&self.password, &self.password_file) {
            (Some(password), _) => Ok(Some(password.clone())),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned().into())),
                Err(error) => Err(format!("cannot read {}: {error}", path.display())),
            },
            (None, None) => Ok(None),
        }
    }

    /// Adds everything that is wrong.
    pub(super) fn check(&self, config: &Config, mistakes: &mut Mistakes) {
        let Some(host) = &self.host else {
            // A wrong issuer is one mistake.
            if config.issuer.starts_with("https:") && !config.is_on_this_machine() {
                mistakes.add(
                    "idp.mail.host",
                    "is needed, and idp.mail.from: people get links to confirm addresses and to choose new passwords by mail",
                );
            }
            return;
        };
        let mut wrong = |key: &str, reason: &str| mistakes.add(format!("idp.mail.{key}"), reason);
        match Host::parse(host) {
            Err(_) => wrong("host", "is not the name or the address of a server"),
            Ok(host) if self.tls == MailTls::None && !is_this_machine(&host) => {
                wrong("tls", "\"none\" is for a server on this machine (localhost) only");
            }
            Ok(_) => {}
        }
        match &self.from {
            None => wrong("from", "is needed: the address that mails come from"),
            Some(from) if !mail::is_sender(from) => {
                wrong("from", "must be an address, as alice@example.com or Alice <alice@example.com>");
            }
            Some(_) => {}
        }
        if self.port == Some(0) {
            wrong("port", "must be from 1 to 65535");
        }
        if self.timeout == 0 || self.timeout > MAX_TIMEOUT {
            wrong("timeout", "must be from 1 to 300 seconds");
        }
        let proof = self.password.is_some() || self.password_file.is_some();
        if self.username.is_some() != proof {
            wrong("username", "needs a password or password_file, and the other way round");
        }
        if self.password.is_some() && self.password_file.is_some() {
            wrong("password_file", "give either this or password, not both");
        } else if let Err(reason) = self.password() {
            wrong("password_file", &reason);
        }
        tls::check_ca_file("idp.mail", self.ca_file.as_deref(), mistakes);
    }
}

impl Config {
    /// Only people at this machine reach the pages: mail may be shown on one.
    #[must_use]
    pub fn is_on_this_machine(&self) -> bool {
        Url::parse(&self.issuer).is_ok_and(|issuer| is_loopback(&issuer))
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
