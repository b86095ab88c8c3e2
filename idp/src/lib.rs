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
pub mod store;
mod upstream;

use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use axum::{
    Router,
    handler::Handler,
    http::{Method, StatusCode, header},
    middleware,
    routing::{MethodRouter, get, options, post},
};
use platform::{
    clock::Clock,
    db::{Db, OpenError},
    dpop::{DPOP, DPOP_NONCE},
    http::Observed,
    pages::{self, Site},
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
use tower_http::cors::{self, CorsLayer};
use webauthn_rs::Webauthn;

pub use config::Config;
use config::Registration;
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
    Ok(router(app))
}

/// The secret of the client that `latchkey` registers for its own web UI, so that nobody has to write one down.
pub fn web_client_secret(config: &Config) -> Result<secret::SecretString, StartError> {
    let master = keys::master_secret(&config.keys_dir)?;
    let derived = secret::derive(&master, "web client secret");
    Ok(format!("lks_{}", base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, derived))
        .into())
}

/// Scripts of any origin may call what is authenticated by what they bring, never by a cookie: apps that run
/// in a browser are public clients.
fn any_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(cors::Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, DPOP.clone()])
        .expose_headers([header::WWW_AUTHENTICATE, DPOP_NONCE.clone()])
        .vary([]) // the same for every origin
}

/// What everybody fetches again and again says by itself that scripts of any origin may read it
/// ([`oidc::document`]): the layer would cost a tenth of the whole answer. Preflights are rare.
fn document<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    get(handler).merge(options(async || StatusCode::NO_CONTENT).layer(any_origin()))
}

/// Where apps register themselves, if they may; by other methods than its neighbours know.
fn registration(config: &Config) -> Router<App> {
    use oauth2::register;
    match config.registration {
        Registration::Closed => Router::new(),
        Registration::Token | Registration::Open => Router::new()
            .route("/register", post(register::post))
            .route("/register/{client_id}", get(register::get).put(register::put).delete(register::delete))
            .layer(middleware::map_response(oauth2::error::finish))
            .layer(any_origin().allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])),
    }
}

/// Log-in by a mailed code, if there is one.
fn mailed_codes(config: &Config) -> Router<App> {
    use account::mailed_code;
    if !config.mailed_code_login {
        return Router::new();
    }
    Router::new()
        .route("/login/code", get(mailed_code::get).post(mailed_code::post))
        .route("/login/code/enter", get(mailed_code::enter).post(mailed_code::log_in))
}

/// Mail, as a page: while there is no server for it, and on this machine only.
fn mailbox(config: &Config) -> Router<App> {
    if config.mail.host.is_some() || !config.is_on_this_machine() {
        return Router::new();
    }
    Router::new().route("/dev/mail", get(account::mailbox::get))
}

fn router(app: App) -> Router {
    let documents = Router::new()
        .route("/.well-known/openid-configuration", document(oidc::discovery::get))
        .route("/.well-known/oauth-authorization-server", document(oidc::discovery::get))
        .route("/jwks", document(oidc::jwks::get));
    let machines = Router::new()
        .route("/token", post(oauth2::token::post))
        .route("/par", post(oauth2::par::post))
        .route("/device_authorization", post(oauth2::device::post))
        .route("/revoke", post(oauth2::revoke::post))
        .route("/introspect", post(oauth2::introspect::post))
        .route("/userinfo", get(oidc::userinfo::get).post(oidc::userinfo::post))
        .layer(middleware::map_response(oauth2::error::finish))
        .layer(any_origin());
    let people = Router::new()
        .route("/", get(account::home::landing))
        .route("/authorize", get(oauth2::authorize::get).post(oauth2::authorize::post))
        .route("/authorize/resume", get(oauth2::authorize::resume))
        .route("/authorize/cancel", post(oauth2::authorize::cancel))
        .route("/login", get(account::sign_in::get).post(account::sign_in::post))
        .route("/login/second", get(account::second::get).post(account::second::post))
        .route("/login/setup", get(account::setup::get).post(account::setup::post))
        .route("/login/upstream", get(account::upstream::known))
        .route("/login/upstream/{id}", post(account::upstream::begin))
        .route("/login/upstream/{id}/callback", get(account::upstream::callback))
        .route(
            "/signup/upstream",
            get(account::upstream::sign_up::get).post(account::upstream::sign_up::post),
        )
        .route("/signup", get(account::sign_up::get).post(account::sign_up::post))
        .route("/login/restore", get(account::restore::get).post(account::restore::post))
        .route("/password/strength", post(account::strength::post))
        .route("/signup/sent", get(account::sign_up::sent))
        .route("/signup/confirm", get(account::email_links::open_sign_up).post(account::email_links::sign_up))
        .route("/forgot", get(account::recovery::get).post(account::recovery::post))
        .route("/forgot/sent", get(account::recovery::sent))
        .route("/reset", get(account::recovery::open).post(account::recovery::choose_password))
        .route("/email/unconfirmed", get(account::email_links::unconfirmed))
        .route("/email/confirm", get(account::email_links::open_confirm).post(account::email_links::confirm))
        .route(
            "/email/take-back",
            get(account::email_links::open_take_back).post(account::email_links::take_back),
        )
        .route("/consent", get(account::consent::get).post(account::consent::post))
        .route("/device", get(account::device::get).post(account::device::post))
        .route("/device/confirm", get(account::device::confirm).post(account::device::decide))
        .route("/account", get(account::home::account))
        .route("/account/profile", get(account::profile::get).post(account::profile::post))
        .route("/account/security", get(account::security::get))
        .route("/account/password", get(account::password::get).post(account::password::post))
        .route("/account/sessions", get(account::sessions::get))
        .route("/account/sessions/end", post(account::sessions::end))
        .route("/account/sessions/end-others", post(account::sessions::end_others))
        .route("/account/apps", get(account::apps::get))
        .route("/account/apps/disconnect", post(account::apps::disconnect))
        .route("/account/apps/disconnect-device", post(account::apps::disconnect_device))
        .route("/account/data", get(account::data::get))
        .route("/account/data/export", post(account::data::export))
        .route("/account/data/delete", get(account::data::confirm).post(account::data::delete))
        .route("/account/totp", get(account::totp::get).post(account::totp::post))
        .route("/account/totp/setup", get(account::totp::setup))
        .route("/account/totp/off", post(account::totp::off))
        .route(
            "/account/recovery-codes",
            get(account::recovery_codes::get).post(account::recovery_codes::post),
        )
        .route("/account/activity", get(account::activity::get))
        .route("/account/linked", get(account::linked::get))
        .route("/account/linked/add", post(account::linked::add))
        .route("/account/linked/remove", post(account::linked::remove))
        .route(
            "/account/linked/confirm",
            get(account::upstream::link::get).post(account::upstream::link::post),
        )
        .route("/account/email", get(account::email::get).post(account::email::post))
        .route("/account/email/send", post(account::email::send))
        .route("/account/email/confirm", get(account::email::open).post(account::email::confirm))
        .merge(mailed_codes(&app.config))
        .merge(mailbox(&app.config))
        .route("/logout", get(oidc::logout::get).post(oidc::logout::post))
        .route("/logout/confirm", post(oidc::logout::confirm))
        .merge(account::passkeys::router(&app))
        .fallback(account::not_found)
        .layer(middleware::from_fn_with_state(app.site.clone(), pages::layer));
    let observed = Observed {
        service: "idp",
        https: app.site.https(),
        trusted_proxies: app.config.trusted_proxies.clone().into(),
    };
    let (db, assets) = (app.db.clone(), app.place.router());
    let routes = machines
        .merge(registration(&app.config))
        .merge(people)
        .layer(middleware::from_fn_with_state(app.refusals.clone(), refusals::layer))
        .merge(documents)
        .with_state(app)
        .merge(assets);
    platform::http::finish(routes, observed, db)
}
