//! The task web UI: server-rendered pages, and the OpenID Connect client behind them. The browser holds a
//! session id and nothing else; tokens stay here.

mod api_client;
mod config;
mod error;
mod home;
mod oidc;
mod session;
mod store;
mod tasks;
mod toast;
mod view;
mod visit;

use std::{ops::Deref, sync::Arc, time::Duration};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use platform::{
    clock::Clock,
    config::origin,
    db::{Db, Migrations, OpenError},
    http::{self, Observed},
    pages::{self, Site},
    place::Place,
    secret::{ExposeSecret, SecretHash},
    server::Shutdown,
};
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

pub use config::Config;

/// The tables.
pub static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../migrations/web/sqlite"),
    postgres: sqlx::migrate!("../migrations/web/postgres"),
};

/// How often what has expired is deleted.
const SWEEP: Duration = Duration::from_secs(60);

/// Why the web UI cannot start, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("web: {0}")]
    Database(#[from] OpenError),
    #[error("web: {0}")]
    Settings(String),
}

/// What every handler is given.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

pub(crate) struct Parts {
    config: Config,
    clock: Clock,
    db: Db,
    place: Place,
    site: Site,
    provider: oidc::Provider,
    /// For calls of the task API.
    http: reqwest::Client,
    /// A lock for each session whose tokens are being refreshed in this process.
    refreshing: Cache<SecretHash, Arc<Mutex<()>>>,
    /// What must be finished before the process stops.
    tasks: TaskTracker,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// A session that was last used before this time has ended.
    fn idle_since(&self) -> DateTime<Utc> {
        self.clock.now() - TimeDelta::seconds(self.config.session_idle_lifetime.into())
    }
}

/// Opens the database, starts the background work on `shutdown`, and answers the routes. Contacts neither
/// the identity provider nor the task API: they may start later.
///
/// # Errors
/// When the database cannot be opened, or a setting cannot be used.
pub async fn start(config: Config, clock: Clock, shutdown: &Shutdown) -> Result<Router, StartError> {
    let client_secret = config.client_secret().map_err(StartError::Settings)?;
    let provider =
        oidc::Provider::new(&config, client_secret, clock.clone()).map_err(StartError::Settings)?;
    let http = api_client::http(config.ca_file.as_deref()).map_err(StartError::Settings)?;
    let db = Db::open(config.database_url.expose_secret(), &MIGRATIONS).await?;
    let place = view::place(&config).map_err(StartError::Settings)?;
    let errors = place.clone();
    let site = Site::new(origin(&config.public_url), "web", move |error| view::error_page(&errors, error));
    let observed = Observed {
        service: "web",
        https: site.https(),
        trusted_proxies: config.trusted_proxies.clone().into(),
    };
    let refreshing = Cache::builder().max_capacity(10_000).time_to_idle(Duration::from_secs(120)).build();
    let tasks = shutdown.tasks.clone();
    let app = App(Arc::new(Parts {
        config,
        clock,
        db: db.clone(),
        place,
        site,
        provider,
        http,
        refreshing,
        tasks,
    }));

    let sweeper = app.clone();
    shutdown.every(SWEEP, move || sweep(sweeper.clone()));
    Ok(http::finish(router(app), observed, db))
}

fn router(app: App) -> Router {
    let assets = app.place.router();
    Router::new()
        .route("/", get(home::get))
        .route("/tasks", get(tasks::list::get).post(tasks::create::post))
        .route("/tasks/{id}/edit", get(tasks::edit::get).post(tasks::edit::post))
        .route("/tasks/{id}/complete", post(tasks::complete::post))
        .route("/tasks/{id}/delete", get(tasks::delete::get).post(tasks::delete::post))
        .route("/login", get(oidc::login::login).post(oidc::login::login_by_post))
        .route("/signup", get(oidc::login::signup))
        .route("/callback", get(oidc::callback::get))
        .route("/logout", post(oidc::logout::post))
        .layer(middleware::from_fn_with_state(app.clone(), visit::layer))
        .fallback(async || axum::http::StatusCode::NOT_FOUND)
        .layer(middleware::from_fn_with_state(app.site.clone(), pages::layer))
        .route("/backchannel-logout", post(oidc::backchannel_logout::post)) // for the provider, not for people
        .with_state(app)
        .merge(assets)
}

async fn sweep(app: App) {
    if let Err(error) = store::sweep(&app.db, app.clock.now(), app.idle_since()).await {
        tracing::error!(%error, "what has expired could not be deleted");
    }
}
