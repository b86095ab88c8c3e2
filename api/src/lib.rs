//! The task API: an OAuth 2 resource server. Of the identity provider it knows the issuer's URL and its
//! own audience; the keys come from the issuer's JWKS, over HTTP.

mod bearer;
mod body;
mod config;
mod cors;
mod docs;
mod error;
mod jwks;
mod metadata;
mod openapi;
mod preconditions;
mod store;
mod tasks;

use std::sync::Arc;

use axum::{Router, middleware, routing::get};
use chrono::TimeDelta;
use platform::{
    clock::Clock,
    db::{self, Db},
    http::{self, Observed},
    server::Shutdown,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{bearer::Rules, jwks::Jwks, tasks::memory::Memory};
pub use crate::{
    config::{Config, StepUp},
    store::MIGRATIONS,
};

/// How long an `Idempotency-Key` is remembered.
const IDEMPOTENCY_KEY_LIFETIME: TimeDelta = TimeDelta::hours(24);
const SWEEP_PERIOD: std::time::Duration = std::time::Duration::from_secs(60);

/// What every handler works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    config: Arc<Config>,
    rules: Arc<Rules>,
    /// What every `WWW-Authenticate` begins with.
    challenge: Arc<str>,
    clock: Clock,
    db: Db,
    jwks: Arc<Jwks>,
    lists: Memory,
}

/// Why the task API could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the task API's database: {0}")]
    Database(#[from] db::OpenError),
    #[error("the task API's HTTP client: {0}")]
    HttpClient(String),
    #[error("the task API's documentation: {0}")]
    Docs(#[from] docs::Error),
}

/// Opens the database, starts the background work, and returns the finished router. Does not wait for the issuer.
pub async fn start(config: Config, clock: Clock, shutdown: &Shutdown) -> Result<Router, StartError> {
    let db = Db::open(&config.database_url, &MIGRATIONS).await?;
    let app = App {
        rules: Arc::new(Rules::of(&config)),
        challenge: metadata::challenge(&config).into(),
        jwks: Jwks::start(&config, clock.clone(), shutdown).map_err(StartError::HttpClient)?,
        config: Arc::new(config),
        clock,
        lists: Memory::new(db.clone()),
        db: db.clone(),
    };
    let sweeper = app.clone();
    shutdown.every(SWEEP_PERIOD, move || {
        let app = sweeper.clone();
        async move {
            if let Err(error) = store::sweep(&app.db, app.clock.now()).await {
                tracing::error!(%error, "what has expired could not be removed");
            }
        }
    });
    let observed = Observed {
        service: "api",
        https: app.config.public_url.starts_with("https:"),
        trusted_proxies: app.config.trusted_proxies.clone().into(),
    };
    Ok(http::finish(router(app)?, observed, db))
}

fn router(app: App) -> Result<Router, docs::Error> {
    let cors = cors::layer(&app.config);
    let (router, openapi) = OpenApiRouter::with_openapi(openapi::document(&app.config))
        .routes(routes!(tasks::list::get, tasks::create::post))
        .routes(routes!(tasks::one::get, tasks::replace::put, tasks::update::patch, tasks::delete::delete))
        .routes(routes!(tasks::complete::patch))
        .routes(routes!(metadata::get))
        .split_for_parts();
    let router = match metadata::path_of_resource(&app.config) {
        Some(path) => router.route(&path, get(metadata::get)),
        None => router,
    };
    Ok(router
        .merge(docs::router(&openapi)?)
        .fallback(error::not_found)
        .layer(middleware::map_response(error::as_problem))
        .layer(cors)
        .with_state(app))
}
