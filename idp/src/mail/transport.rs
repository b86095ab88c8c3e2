//! How a mail leaves: by SMTP (RFC 5321, RFC 6409), or onto a page while Latchkey is tried out on one machine.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::{
        self,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use platform::secret::ExposeSecret;
use url::Url;

use super::Mail;
use crate::{
    App,
    config::{Config, MailTls},
};

/// How many mails are kept to be shown.
const SHOWN: usize = 100;

/// Why a mail is not off. Words for the log: never what a server said, which may name the address.
pub enum Failure {
    /// It may work another time.
    Later(String),
    /// It will not.
    Refused(String),
}

pub enum Transport {
    Smtp {
        server: AsyncSmtpTransport<Tokio1Executor>,
        from: Mailbox,
        timeout: Duration,
    },
    /// There is no server: the newest mails, newest first, as long as the process runs.
    Page(Mutex<VecDeque<Shown>>),
}

/// A mail that is shown instead of being sent.
#[derive(Clone)]
pub struct Shown {
    pub mail: Mail,
    pub at: DateTime<Utc>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp { .. } => "Smtp",
            Self::Page(_) => "Page",
        })
    }
}

impl Transport {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with the settings; [`Config::check`] says it beforehand.
    pub fn new(config: &Config) -> Result<Self, String> {
        let mail = &config.mail;
        let Some(host) = &mail.host else { return Ok(Self::Page(Mutex::default())) };
        let from = mail.from.as_deref().unwrap_or_default();
        let from = from.parse().map_err(|_| "from is not an address".to_owned())?;
        let timeout = Duration::from_secs(mail.timeout.into());
        let tls = match mail.tls {
            MailTls::None => Tls::None,
            MailTls::StartTls => Tls::Required(tls_parameters(config, host)?),
            MailTls::Tls => Tls::Wrapper(tls_parameters(config, host)?),
        };
        let name = Url::parse(&config.issuer).ok().and_then(|issuer| issuer.host_str().map(str::to_owned));
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(mail.port())
            .tls(tls)
            .timeout(Some(timeout))
            .hello_name(ClientId::Domain(name.unwrap_or_default()));
        if let (Some(username), Some(password)) = (&mail.username, mail.password()?) {
            let password = password.expose_secret().to_owned();
            server = server.credentials(Credentials::new(username.clone(), password));
        }
        Ok(Self::Smtp { server: server.build(), from, timeout })
    }

    pub async fn send(&self, app: &App, mail: &Mail) -> Result<(), Failure> {
        match self {
            Self::Smtp { server, from, timeout } => {
                let message = message(from.clone(), mail)
                    .map_err(|error| Failure::Refused(format!("it cannot be written: {error}")))?;
                // The limit of the connection is one for each step.
                match tokio::time::timeout(*timeout, server.send(message)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(failure(&error)),
                    Err(_) => Err(Failure::Later("the server takes too long".to_owned())),
                }
            }
            Self::Page(shown) => {
                tracing::info!(
                    "there is no mail server; what it would have been given is at {}/dev/mail",
                    app.config.issuer
                );
                let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                shown.push_front(Shown { mail: mail.clone(), at: app.clock.now() });
                shown.truncate(SHOWN);
                Ok(())
            }
        }
    }

    /// Mails that were not sent, newest first; `None` when there is a server.
    pub fn shown(&self) -> Option<Vec<Shown>> {
        match self {
            Self::Smtp { .. } => None,
            Self::Page(shown) => {
                Some(shown.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect())
            }
        }
    }
}

/// Whether mails can come from this: `alice@example.com` or `Alice <alice@example.com>`.
pub fn is_sender(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

fn tls_parameters(config: &Config, host: &str) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = &config.mail.ca_file {
        let unusable = |error: &dyn fmt::Display| format!("cannot use {}: {error}", file.display());
        let pem = std::fs::read(file).map_err(|error| unusable(&error))?;
        let authorities = Certificate::from_pem(&pem).map_err(|error| unusable(&error))?;
        parameters = parameters.add_root_certificate(authorities);
    }
    parameters.build_rustls().map_err(|error| error.to_string())
}

fn message(from: Mailbox, mail: &Mail) -> Result<Message, lettre::error::Error> {
    let to = Mailbox::new(None, mail.to.parse().map_err(|_| lettre::error::Error::MissingTo)?);
    Message::builder()
        .from(from)
        .to(to)
        .subject(mail.subject.as_str())
        .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
}

fn failure(error: &smtp::Error) -> Failure {
    match error.status().map(u16::from) {
        // RFC 5321 §4.2.3: about the mailbox or the message. What else is refused for good can be mended here.
        Some(code @ 550..=554) => Failure::Refused(format!("the server answered {code}")),
        Some(code) => Failure::Later(format!("the server answered {code}")),
        None if error.is_response() => Failure::Later("the server speaks another language".to_owned()),
        None => Failure::Later(chain(error)),
    }
}

/// A connection's error, with all that led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
