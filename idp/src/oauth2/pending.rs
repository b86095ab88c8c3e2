//! Authorization requests that wait while a person logs in or decides: on the server, bound to the browser.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use platform::{
    pages::{FormTarget, Page},
    secret::{self, ExposeSecret, SecretHash},
};

use super::{authorize::Request, parameters::Parameters, redirect_uri};
use crate::{
    App,
    error::PageError,
    store::{self, Tx, authorization_requests, clients::Client},
};

const HANDLE: &str = "lkq_";
/// How long a person may take.
const PATIENCE: TimeDelta = TimeDelta::minutes(30);

/// An authorization request that waits for a person in this browser.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Names it in addresses and forms. Worth nothing in another browser.
    pub handle: String,
    pub client: Arc<Client>,
    /// What is asked for, sorted.
    pub scope: Vec<String>,
    pub login_hint: Option<String>,
    pub(super) request: Request,
    pub(super) created_at: DateTime<Utc>,
}

/// Keeps a request; returns its handle.
pub async fn store(app: &App, parameters: &Parameters, page: &Page) -> Result<String, store::Error> {
    let handle = secret::generate(HANDLE).expose_secret().to_owned();
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let hash = SecretHash::of(&handle);
    authorization_requests::insert(&mut tx, &hash, &page.browser, &parameters.encode(), now, now + PATIENCE)
        .await?;
    tx.commit().await?;
    Ok(handle)
}

impl Pending {
    /// The request behind a handle. Judged again: its client may have been changed or disabled meanwhile.
    pub async fn find(app: &App, handle: &str, page: &Page) -> Result<Self, PageError> {
        let mut conn = app.db.read().await?;
        let hash = SecretHash::of(handle);
        let stored = authorization_requests::find(&mut conn, &hash, &page.browser, app.clock.now()).await?;
        drop(conn);
        let stored = stored.ok_or(PageError::Gone)?;
        let parameters = Parameters::parse(stored.parameters.as_bytes());
        let request = Request::read(app, parameters).await.map_err(|_| PageError::Gone)?;
        Ok(Self {
            handle: handle.to_owned(),
            client: request.target.client.clone(),
            scope: request.consent_scope.split(' ').map(str::to_owned).collect(),
            login_hint: request.parameters.get("login_hint").map(str::to_owned),
            created_at: stored.created_at,
            request,
        })
    }

    /// Ends the wait; fails when somebody was faster.
    pub(super) async fn spend(&self, tx: &mut Tx, page: &Page, now: DateTime<Utc>) -> Result<(), PageError> {
        let hash = SecretHash::of(&self.handle);
        if authorization_requests::spend(tx, &hash, &page.browser, now).await? {
            Ok(())
        } else {
            Err(PageError::Gone)
        }
    }

    /// Where a form on the way may lead, for its page's `form-action`.
    #[must_use]
    pub fn form_target(&self) -> FormTarget {
        FormTarget(redirect_uri::form_target(&self.request.target.redirect_uri))
    }

    /// The host that the answer goes to, as shown to people.
    #[must_use]
    pub fn host(&self) -> String {
        redirect_uri::shown_host(&self.request.target.redirect_uri)
    }
}
