//! A web UI, its provider and its API.

use chrono::{DateTime, Utc};
use platform::{
    clock::Clock,
    db::Db,
    on_conn,
    server::Shutdown,
    testing::{TestDb, TestServer, serve},
};
use web::Config;

use crate::{
    browser::Browser,
    fake_api::{self, FakeApi},
    fake_provider::{self, FakeProvider, Fault},
};

pub(crate) struct World {
    pub(crate) op: FakeProvider,
    pub(crate) api: FakeApi,
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    _server: TestServer,
    _db: TestDb,
}

impl World {
    pub(crate) async fn new(db: TestDb) -> Self {
        let clock = Clock::test();
        let (op, api) = (fake_provider::start(&clock), fake_api::start());
        let (listener, url) = TestServer::reserve();
        let config = Config {
            public_url: url,
            issuer: op.url.clone(),
            api_url: api.url.clone(),
            client_secret: Some("s3cret/:".to_owned().into()),
            database_url: db.url.clone().into(),
            ..Config::default()
        };
        let shutdown = Shutdown::default();
        let router = web::start(config.clone(), clock.clone(), &shutdown).await.unwrap();
        Self { op, api, clock, config, _server: serve(listener, &router, shutdown), _db: db }
    }

    /// Another node with the same database and the same public address.
    pub(crate) async fn second_node(&self) -> TestServer {
        let (listener, _) = TestServer::reserve();
        let shutdown = Shutdown::default();
        let router = web::start(self.config.clone(), self.clock.clone(), &shutdown).await.unwrap();
        serve(listener, &router, shutdown)
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.config.public_url)
    }

    /// A browser in which Alice is logged in.
    pub(crate) async fn member(&self) -> Browser {
        let browser = self.browser();
        browser.log_in("/login").await.leads_to("/tasks");
        browser
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.op.state.known().fault = fault;
    }

    /// Until when each logout token that was taken is remembered.
    pub(crate) async fn remembered_logout_tokens(&self) -> Vec<DateTime<Utc>> {
        let db = Db::open(&self._db.url, &web::MIGRATIONS).await.unwrap();
        let mut conn = db.read().await.unwrap();
        on_conn!(&mut conn, |conn| {
            sqlx::query_scalar("SELECT expires_at FROM logout_tokens").fetch_all(conn).await
        })
        .unwrap()
    }

    /// The encrypted parts of all sessions.
    pub(crate) async fn sealed_sessions(&self) -> Vec<Vec<u8>> {
        let db = Db::open(&self._db.url, &web::MIGRATIONS).await.unwrap();
        let mut conn = db.read().await.unwrap();
        on_conn!(&mut conn, |conn| {
            sqlx::query_scalar("SELECT sealed FROM sessions").fetch_all(conn).await
        })
        .unwrap()
    }
}
