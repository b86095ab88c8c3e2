//! Which apps may do what in somebody's name, and taking it back.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use platform::pages::{Page, Protected};
use serde::Deserialize;

use super::{
    consent,
    frame::{Frame, Section},
    home::{ago, day, full, iso},
    session,
    toast::Toast,
};
use crate::{
    App,
    audit::{self, Event},
    error::PageError,
    oauth2::{approval, redirect_uri, scope},
    store::{
        ClientId, Conn, Error, GrantId, UserId, Words, consents,
        grants::{self, Moment},
    },
};

const HERE: &str = "/account/apps";

#[derive(Deserialize)]
pub struct Form {
    client_id: ClientId,
}

#[derive(Deserialize)]
pub struct DeviceForm {
    device: GrantId,
}

#[derive(Template)]
#[template(path = "apps.html")]
struct Apps<'a> {
    frame: &'a Frame<'a>,
    apps: Vec<Connected>,
}

/// An app that was allowed something, or holds something.
struct Connected {
    client_id: ClientId,
    name: String,
    /// None of apps that live on devices.
    host: Option<String>,
    scope: Vec<String>,
    since_at: DateTime<Utc>,
    used_at: Option<DateTime<Utc>>,
    used: String,
    devices: Vec<Device>,
}

struct Device {
    id: GrantId,
    /// That it had when it was connected.
    address: String,
    since_at: DateTime<Utc>,
}

impl Connected {
    fn new(client_id: ClientId, name: String, redirect_uris: &Words, since_at: DateTime<Utc>) -> Self {
        let host = redirect_uris.0.first().map(|uri| redirect_uri::shown_host(uri));
        let (scope, devices) = (Vec::new(), Vec::new());
        Self { client_id, name, host, scope, since_at, used_at: None, used: String::new(), devices }
    }

    fn add(&mut self, scope: &str, since_at: DateTime<Utc>) {
        let scope = scope::union(&self.scope.join(" "), scope);
        self.scope = scope.split_ascii_whitespace().map(str::to_owned).collect();
        self.since_at = self.since_at.min(since_at);
    }

    /// In plain words, and by name where we have none.
    fn permissions(&self) -> Vec<(Option<&'static str>, &str)> {
        consent::permissions(&self.scope)
    }
}

/// `GET /account/apps`
pub async fn get(State(app): State<App>, page: Page, headers: HeaderMap) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut conn = app.db.read().await?;
    let apps = connected(&mut conn, session.user_id, app.moment()).await?;
    drop(conn);
    let frame = Frame::new(&app, &headers, &page, &session, Section::Apps);
    Ok(frame.answer(StatusCode::OK, &Apps { frame: &frame, apps }))
}

/// By name.
async fn connected(conn: &mut Conn, user_id: UserId, moment: Moment) -> Result<Vec<Connected>, Error> {
    let mut apps = BTreeMap::new();
    for consent in consents::list(conn, user_id).await? {
        let app = Connected::new(consent.client_id, consent.name, &consent.redirect_uris, consent.granted_at);
        apps.entry(app.client_id.clone()).or_insert(app).add(&consent.scope, consent.granted_at);
    }
    for held in grants::list_held(conn, user_id, moment).await? {
        let app = apps
            .entry(held.client_id.clone())
            .or_insert_with(|| Connected::new(held.client_id, held.name, &held.redirect_uris, held.since));
        app.add(&held.scope, held.since);
        app.used_at = app.used_at.max(Some(held.granted_at)).max(held.refreshed_at);
        if let (Some(id), Some(address)) = (held.device, held.device_address) {
            app.devices.push(Device { id, address, since_at: held.since });
        }
    }
    let mut apps: Vec<Connected> = apps.into_values().collect();
    for app in &mut apps {
        app.used = app.used_at.map(|used_at| ago(moment.now - used_at)).unwrap_or_default();
        app.devices.sort_by_key(|device| device.since_at);
    }
    apps.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(apps)
}

/// `POST /account/apps/disconnect`
pub async fn disconnect(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(Form { client_id }): Protected<Form>,
) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut tx = app.db.write().await?;
    if !approval::take_back(&mut tx, session.user_id, &client_id, app.clock.now()).await? {
        return Err(PageError::NotFound);
    }
    audit::record(&app, &mut tx, Some(session.user_id), Event::AppDisconnected { client_id }).await?;
    tx.commit().await?;
    Ok(Toast::AppDisconnected.redirect(&app.site, HERE))
}

/// `POST /account/apps/disconnect-device`: what one device holds; others of the same app go on.
pub async fn disconnect_device(
    State(app): State<App>,
    headers: HeaderMap,
    Protected(DeviceForm { device }): Protected<DeviceForm>,
) -> Result<Response, PageError> {
    let session = session::required(&app, &headers, HERE).await?;
    let mut tx = app.db.write().await?;
    let client_id = grants::revoke_device(&mut tx, session.user_id, device, app.clock.now()).await?;
    let client_id = client_id.ok_or(PageError::NotFound)?;
    audit::record(&app, &mut tx, Some(session.user_id), Event::DeviceDisconnected { client_id }).await?;
    tx.commit().await?;
    Ok(Toast::DeviceDisconnected.redirect(&app.site, HERE))
}
