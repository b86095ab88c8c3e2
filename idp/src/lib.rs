//! The identity provider: an OpenID provider and OAuth 2 authorization server, with its pages for people.

mod account;
pub mod admin;
pub mod audit;
mod clients;
pub mod config;
mod email;
mod error;
pub mod keys;
mod mail;
mod oauth2;
mod oidc;
mod outbound;
mod password;
mod refusals;
mod routes;
pub mod store;
mod upstream;

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use axum::Router;
use platform::{
    clock::Clock,
    db::{Db, OpenError},
    pages::Site,
    place::Place,
    secret,
    server::Shutdown,
};

use admin::Operator;
use clients::{Clients, Documents};
use oauth2::published_keys::PublishedKeys;
use outbound::Outbound;
use refusals::Refusals;
use tokio::sync::Notify;
use webauthn_rs::Webauthn;

pub use config::Config;
use keys::KeyRing;
pub use password::breached;
use store::grants::Moment;
use upstream::Provider;

/// How often the key directory is looked at for keys that were added or removed.
const KEYS_RELOAD: Duration = Duration::from_secs(5);
const SWEEP: Duration = Duration::from_secs(600);

/// What every handler is given. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

pub(crate) struct Parts {
    pub config: Config,
    pub clock: Clock,
    pub db: Db,
    pub keys: KeyRing,
    pub clients: Clients,
    pub published_keys: PublishedKeys,
    pub outbound: Outbound,
    /// Somebody has just logged out.
    pub session_ended: Notify,
    pub mail: mail::Transport,
    /// Somebody has just been promised a mail.
    pub mail_owed: Notify,
    pub passwords: password::Pool,
    /// As whom authenticators know us; `None` where there are no passkeys.
    pub passkeys: Option<Webauthn>,
    pub place: Place,
    pub site: Site,
    pub audit: audit::Log,
    pub refusals: Refusals,
    upstreams: Vec<Provider>,
    secrets: Secrets,
    /// What both discovery addresses publish.
    metadata: oidc::document::Document,
}

/// Keys derived from the ring's master secret, each for one purpose.
struct Secrets {
    /// Derives the successor of a refresh token.
    refresh: [u8; 32],
    /// Authenticates the cookie of a browser that an account was used in.
    device: [u8; 32],
    /// Authenticates the nonces of DPoP proofs.
    dpop_nonce: [u8; 32],
    /// Hashes user codes, which are too short for a plain hash.
    user_code: [u8; 32],
    /// Encrypts what authenticator apps share with us.
    totp: [u8; 32],
    /// Hashes recovery codes.
    recovery_code: [u8; 32],
    /// Hashes mailed codes, too.
    mailed_code: [u8; 32],
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("issuer", &self.config.issuer).finish_non_exhaustive()
    }
}

impl App {
    /// The clock, and the idle limit of sessions at this moment.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let now = self.clock.now();
        Moment { now, seen_after: now - config::seconds(self.config.sessions.idle) }
    }
}

/// Why the identity provider cannot start: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("idp: {0}")]
    Database(#[from] OpenError),
    #[error("idp: cannot declare the clients: {0}")]
    Clients(#[from] admin::clients::Error),
    #[error("idp: {0}")]
    Keys(#[from] keys::OpenError),
    #[error("idp: {0}")]
    Passwords(String),
    #[error("idp.outbound: {0}")]
    Outbound(String),
    #[error("idp.upstreams: {0}")]
    Upstreams(String),
    #[error("idp.mail: {0}")]
    Mail(String),
    #[error("idp.look: {0}")]
    Look(String),
    #[error("idp: {0}")]
    Metadata(#[from] oidc::discovery::BadIssuer),
}

/// Opens the database and the key ring, and starts what runs in the background.
pub async fn start(config: Config, clock: Clock, shutdown: &Shutdown) -> Result<Router, StartError> {
    let now = clock.now();
    let db = Db::open(&config.database_url, &store::MIGRATIONS).await?;
    let keys = KeyRing::open(&config.keys_dir, now)?;
    let master = keys::master_secret(&config.keys_dir)?;
    let audit = audit::Log::new(&master);
    let operator = Operator::new(db.clone(), audit.clone());
    admin::clients::declare(&operator, &config.clients, now).await?;
    if !config.token_exchange.is_empty() {
        for unknown in config.unknown_in_token_exchange(&admin::clients::list(&operator).await?) {
            tracing::warn!("{unknown}");
        }
    }
    let outbound = Outbound::new(&config).map_err(StartError::Outbound)?;

    let documents = config
        .client_id_metadata_documents
        .then(|| Documents::new(db.clone(), clock.clone(), outbound.clone(), config.clone()));
    let place = account::assets::place(&config).map_err(StartError::Look)?;
    let refusals =
        Refusals::start(db.clone(), clock.clone(), config::seconds(config.refusals.retention), shutdown);
    let app = App(Arc::new(Parts {
        audit,
        refusals,
        clients: Clients::new(db.clone(), documents),
        published_keys: PublishedKeys::new(outbound.clone(), clock.clone()),
        outbound,
        session_ended: Notify::new(),
        mail: mail::Transport::new(&config).map_err(StartError::Mail)?,
        mail_owed: Notify::new(),
        passwords: password::Pool::start(&config.passwords).map_err(StartError::Passwords)?,
        passkeys: account::passkeys::relying_party(&config),
        site: Site::new(config.issuer.clone(), "idp", account::error_page(place.clone())),
        place,
        upstreams: upstream::all(&config.issuer, &config.upstreams).map_err(StartError::Upstreams)?,
        secrets: Secrets {
            refresh: secret::derive(&master, "refresh token successor"),
            device: secret::derive(&master, "known device"),
            dpop_nonce: secret::derive(&master, "DPoP nonce"),
            user_code: secret::derive(&master, "user code"),
            totp: secret::derive(&master, "TOTP secret"),
            recovery_code: secret::derive(&master, "recovery code"),
            mailed_code: secret::derive(&master, "mailed code"),
        },
        metadata: oidc::discovery::document(&config)?,
        keys,
        db,
        clock,
        config,
    }));

    let reloading = app.clone();
    shutdown.every(KEYS_RELOAD, move || {
        let app = reloading.clone();
        async move {
            if let Err(error) = app.keys.reload(app.clock.now()) {
                tracing::error!(%error, "the key ring could not be read again; the known keys go on");
            }
        }
    });
    let sweeping = app.clone();
    shutdown.every(SWEEP, move || {
        let app = sweeping.clone();
        async move {
            match store::sweep(&app.db, app.clock.now()).await {
                Ok(rows) => tracing::debug!(rows, "swept what has expired"),
                Err(error) => tracing::error!(%error, "could not sweep what has expired"),
            }
            let operator = admin::Operator::new(app.db.clone(), app.audit.clone());
            if let Err(error) = admin::users::delete_due(&operator, app.clock.now()).await {
                tracing::error!(%error, "could not delete the accounts whose time has come");
            }
            if let Err(error) = audit::retain(&app).await {
                tracing::error!(%error, "could not remove what the audit log needs to hold no longer");
            }
        }
    });
    oidc::backchannel_logout::start(&app, shutdown);
    mail::start(&app, shutdown);
    Ok(routes::router(app))
}

/// The secret of the client that `latchkey` registers for its own web UI, so that nobody has to write one down.
pub fn web_client_secret(config: &Config) -> Result<secret::SecretString, StartError> {
    let master = keys::master_secret(&config.keys_dir)?;
    let derived = secret::derive(&master, "web client secret");
    Ok(format!("lks_{}", base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, derived))
        .into())
}
