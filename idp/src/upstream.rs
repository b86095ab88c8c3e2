//! Other providers that people may come from: any OpenID provider, and GitHub. An identity there is an issuer and a
//! subject (OpenID Connect Core §5.7), never an address.

mod github;
mod id_token;
mod metadata;
mod oidc;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use platform::secret::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::{
    App,
    config::{Upstream, UpstreamKind},
    email::Email,
    outbound::{self, kept::Kept},
    store::upstream_sign_ins::UpstreamSignIn,
};
use metadata::Metadata;

const MAX_NAME: usize = 100;

/// A provider, and what it knows us by.
#[derive(Debug)]
pub struct Provider {
    pub settings: Upstream,
    secret: SecretString,
    redirect_uri: String,
    metadata: Kept<Arc<Metadata>>,
}

/// Whom a log-in there shall prove.
#[derive(Debug)]
pub struct Asked<'a> {
    pub state: &'a str,
    pub nonce: &'a str,
    pub code_challenge: &'a str,
    pub login_hint: Option<&'a str>,
    /// How long ago they may have proved who they are, in seconds.
    pub max_age: Option<i64>,
}

/// Somebody has proved who they are there.
#[derive(Debug)]
pub struct Proof {
    pub subject: String,
    /// When they proved it there, if that was before they were sent there.
    pub auth_time: Option<DateTime<Utc>>,
    access_token: SecretString,
    person: Person,
}

/// What a provider says of somebody.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// May be empty.
    pub name: String,
    pub email: Option<Email>,
    /// That the address is theirs, by a provider that is believed.
    pub email_verified: bool,
}

/// Why nobody was proved to be anybody; for the log.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("it cannot be asked: {0}")]
    Unavailable(String),
    #[error("{0}")]
    Broken(&'static str),
    #[error("the person, or the provider, refused")]
    Denied,
    #[error("it did not ask them to log in again")]
    NotAgain,
}

impl From<outbound::Error> for Failure {
    fn from(error: outbound::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Tokens {
    access_token: SecretString,
    id_token: Option<String>,
}

/// What a token endpoint says, whatever its status is: GitHub refuses with 200.
#[derive(Deserialize)]
#[serde(untagged)]
enum Redeemed {
    Granted(Tokens),
    /// §5.2
    Refused {
        error: String,
    },
}

/// The configured ones. `Err` says whose secret cannot be read.
pub fn all(issuer: &str, configured: &[Upstream]) -> Result<Vec<Provider>, String> {
    configured.iter().map(|upstream| Provider::new(issuer, upstream)).collect()
}

impl App {
    /// The provider with this id in the configuration.
    #[must_use]
    pub fn upstream(&self, id: &str) -> Option<&Provider> {
        self.upstreams.iter().find(|provider| provider.settings.id == id)
    }

    /// The one that speaks for an issuer.
    #[must_use]
    pub fn upstream_of(&self, issuer: &str) -> Option<&Provider> {
        self.upstreams.iter().find(|provider| provider.settings.issuer() == issuer)
    }
}

impl Provider {
    fn new(issuer: &str, settings: &Upstream) -> Result<Self, String> {
        let secret = match (&settings.client_secret, &settings.client_secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                text.trim_end().to_owned().into()
            }
            (None, None) => return Err(format!("{} has no client_secret", settings.id)),
        };
        Ok(Self {
            secret,
            redirect_uri: format!("{issuer}/login/upstream/{}/callback", settings.id),
            settings: settings.clone(),
            metadata: Kept::default(),
        })
    }

    /// Whether who comes from there may make an account.
    #[must_use]
    pub fn allows_sign_up(&self, app: &App) -> bool {
        self.settings.allow_sign_up.unwrap_or(app.config.sign_up)
    }

    /// Whether it can be asked to let somebody log in again, and says when they did.
    #[must_use]
    pub fn logs_in_again(&self) -> bool {
        self.settings.kind == UpstreamKind::Oidc
    }

    /// Where to send a person who wants to log in.
    pub async fn authorize(&self, app: &App, asked: &Asked<'_>) -> Result<Url, Failure> {
        let metadata = self.metadata(app).await?;
        let mut url = Url::parse(&metadata.authorization_endpoint)
            .map_err(|_| Failure::Broken("its authorization_endpoint is no URL"))?;
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs([
                ("response_type", "code"),
                ("client_id", &self.settings.client_id),
                ("redirect_uri", &self.redirect_uri),
                ("scope", self.settings.scope()),
                ("state", asked.state),
                ("code_challenge", asked.code_challenge),
                ("code_challenge_method", "S256"),
            ]);
            if self.settings.kind == UpstreamKind::Oidc {
                query.append_pair("nonce", asked.nonce);
            }
            if let Some(hint) = asked.login_hint {
                query.append_pair("login_hint", hint);
            }
            if let Some(max_age) = asked.max_age {
                query.append_pair("max_age", &max_age.to_string());
            }
            if asked.max_age == Some(0) {
                query.append_pair("prompt", "login");
            }
        }
        Ok(url)
    }

    /// RFC 9207 §2.4: whether an answer is this provider's.
    pub async fn has_answered(&self, app: &App, iss: Option<&str>) -> Result<(), Failure> {
        if self.settings.kind == UpstreamKind::GitHub {
            return Ok(());
        }
        match iss {
            Some(iss) if iss == self.settings.issuer() => Ok(()),
            Some(_) => Err(Failure::Broken("the answer is another issuer's")),
            None if self.metadata(app).await?.authorization_response_iss_parameter_supported => {
                Err(Failure::Broken("the answer does not say whose it is"))
            }
            None => Ok(()),
        }
    }

    /// Who it is that a code stands for.
    pub async fn prove(&self, app: &App, code: &str, sign_in: &UpstreamSignIn) -> Result<Proof, Failure> {
        let metadata = self.metadata(app).await?;
        let tokens = self.redeem(app, &metadata, code, &sign_in.code_verifier).await?;
        match self.settings.kind {
            UpstreamKind::Oidc => oidc::prove(app, self, &metadata, tokens, sign_in).await,
            UpstreamKind::GitHub => github::prove(app, &metadata, tokens).await,
        }
    }

    /// What it says of them.
    pub async fn person(&self, app: &App, proof: Proof) -> Result<Person, Failure> {
        let metadata = self.metadata(app).await?;
        let mut person = match self.settings.kind {
            UpstreamKind::Oidc => oidc::person(app, self, &metadata, proof).await?,
            UpstreamKind::GitHub => github::person(app, self, &metadata, proof).await?,
        };
        person.email_verified &= person.email.is_some() && self.settings.trusts_email();
        Ok(person)
    }

    async fn metadata(&self, app: &App) -> Result<Arc<Metadata>, Failure> {
        let issuer = self.settings.issuer();
        if self.settings.kind == UpstreamKind::GitHub {
            return Ok(Arc::new(Metadata::of_github(issuer)));
        }
        let found = self.metadata.find(&app.clock, |_| true, metadata::fetch(app, issuer)).await;
        found.ok_or_else(|| Failure::Unavailable("there is no metadata".to_owned()))
    }

    /// RFC 6749 §4.1.3.
    async fn redeem(
        &self,
        app: &App,
        metadata: &Metadata,
        code: &str,
        code_verifier: &str,
    ) -> Result<Tokens, Failure> {
        let (id, secret) = (self.settings.client_id.as_str(), self.secret.expose_secret());
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", code_verifier),
        ];
        let basic = metadata.takes_basic().then_some((id, secret));
        if basic.is_none() {
            form.extend([("client_id", id), ("client_secret", secret)]);
        }
        let (status, document) = app.outbound.post_for(&metadata.token_endpoint, &form, basic).await?;
        if status.is_server_error() {
            return Err(outbound::Error::Status(status).into());
        }
        match serde_json::from_slice(&document) {
            Ok(Redeemed::Granted(tokens)) => Ok(tokens),
            Ok(Redeemed::Refused { error }) => {
                tracing::warn!(upstream = self.settings.id, error, "a provider refused a code");
                Err(Failure::Broken("its token endpoint refused the code"))
            }
            Err(_) => Err(Failure::Broken("its token endpoint says something else")),
        }
    }
}

impl Person {
    /// From claims of OpenID Connect Core §5.1. What is of another type than it should be says nothing.
    fn of(claims: &Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let name = text("name").or_else(|| text("preferred_username")).unwrap_or_default();
        Self {
            name: shown(name),
            email: text("email").and_then(Email::parse),
            email_verified: claims.get("email_verified") == Some(&Value::Bool(true)),
        }
    }
}

/// A name as it could have been typed here.
fn shown(name: &str) -> String {
    let fine = name.chars().filter(|character| !character.is_control());
    fine.take(MAX_NAME).collect::<String>().trim().to_owned()
}
