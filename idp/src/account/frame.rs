//! What every page of an account has around it.

use askama::Template;
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::{
    pages::{Page, render},
    place::Place,
};

use super::toast::Toast;
use crate::{App, store::sessions::Session};

/// A part of the account, as the navigation names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Overview,
    Profile,
    Security,
    Devices,
    Apps,
    Activity,
    Data,
}

/// In the order in which they are shown: address and name.
const SECTIONS: [(Section, &str, &str); 7] = [
    (Section::Overview, "/account", "Overview"),
    (Section::Profile, "/account/profile", "Profile"),
    (Section::Security, "/account/security", "Security"),
    (Section::Devices, "/account/sessions", "Devices"),
    (Section::Apps, "/account/apps", "Apps"),
    (Section::Activity, "/account/activity", "Activity"),
    (Section::Data, "/account/data", "Your data"),
];

pub struct Frame<'a> {
    app: &'a App,
    pub page: &'a Page,
    pub session: &'a Session,
    section: Section,
    pub toast: Option<Toast>,
}

impl<'a> Frame<'a> {
    pub fn new(
        app: &'a App,
        headers: &HeaderMap,
        page: &'a Page,
        session: &'a Session,
        section: Section,
    ) -> Self {
        Self { app, page, session, section, toast: Toast::waiting(&app.site, headers) }
    }

    pub fn place(&self) -> &Place {
        &self.app.place
    }

    /// Address, name, and whether this page belongs to it.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        SECTIONS.iter().map(|&(section, address, name)| (address, name, section == self.section))
    }

    /// The page, with the toast that waited for it.
    pub fn answer(&self, status: StatusCode, template: &impl Template) -> Response {
        let mut response = render(template.render());
        if response.status().is_success() {
            *response.status_mut() = status;
        }
        let shown = self.toast.map(|_| [(header::SET_COOKIE, Toast::shown(&self.app.site))]);
        (shown, response).into_response()
    }
}
