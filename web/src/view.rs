//! What every page's template is given, and how a template becomes a response.

use askama::Template;
use axum::{
    Extension,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::{
    config::origin,
    pages::{ErrorPage, FormTarget, Page, render},
    place::Place,
};

use crate::{App, config::Config, toast::Toast};

const STYLE: &str = concat!(include_str!("../../platform/static/base.css"), include_str!("static/web.css"));
const SCRIPT: &str = include_str!("static/tasks.js");

/// What every page shows and links.
pub(crate) fn place(config: &Config) -> Result<Place, String> {
    Place::new(&config.name, &config.look, STYLE, &[("tasks.js", SCRIPT)])
}

/// The layout's part of a template.
pub(crate) struct View {
    pub(crate) place: Place,
    pub(crate) nonce: String,
    pub(crate) form_token: String,
    /// What the person who is logged in is called; `None` when nobody is.
    pub(crate) person: Option<String>,
    pub(crate) toast: Option<Toast>,
}

impl View {
    pub(crate) fn new(
        app: &App,
        page: Page,
        person: Option<&crate::session::Session>,
        toast: Option<Toast>,
    ) -> Self {
        Self {
            place: app.place.clone(),
            nonce: page.nonce,
            form_token: page.form_token,
            person: person.map(|session| session.content.name.clone().unwrap_or_else(|| "Logged in".into())),
            toast,
        }
    }
}

/// Renders a page; `shown` is the toast that was waiting for it, and need not wait any longer.
pub(crate) fn respond(
    app: &App,
    status: StatusCode,
    shown: Option<Toast>,
    template: &impl Template,
) -> Response {
    // Browsers hold `form-action` against the redirects that follow a form: logging in or out goes there.
    let provider = FormTarget(origin(&app.config.issuer));
    let shown = shown.map(|_| [(header::SET_COOKIE, Toast::shown(&app.site))]);
    (status, Extension(provider), shown, render(template.render())).into_response()
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate<'a> {
    view: View,
    error: &'a ErrorPage,
}

/// The page for a refusal.
pub(crate) fn error_page(place: &Place, error: &ErrorPage) -> String {
    let view = View {
        place: place.clone(),
        nonce: error.nonce.clone(),
        form_token: String::new(),
        person: None,
        toast: None,
    };
    ErrorTemplate { view, error }.render().unwrap_or_else(|failure| {
        tracing::error!(%failure, "the error page failed");
        error.title.to_owned()
    })
}
