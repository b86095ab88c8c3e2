//! What every page's template is given, and how a template becomes a response.

use std::sync::LazyLock;

use askama::Template;
use axum::{
    Extension,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::{
    assets::{Assets, MARK},
    config::origin,
    pages::{ErrorPage, FormTarget, Page, render},
};

use crate::{App, toast::Toast};

/// The stylesheet, the module and the icon.
pub(crate) static ASSETS: LazyLock<Assets> = LazyLock::new(|| {
    Assets::new(&[
        (
            "style.css",
            concat!(include_str!("../../platform/static/base.css"), include_str!("static/web.css")),
        ),
        ("tasks.js", include_str!("static/tasks.js")),
        ("mark.svg", MARK),
    ])
});

/// The layout's part of a template.
pub(crate) struct View {
    /// What the place is called.
    pub(crate) site: String,
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
            site: app.config.name.clone(),
            nonce: page.nonce,
            form_token: page.form_token,
            person: person.map(|session| session.content.name.clone().unwrap_or_else(|| "Logged in".into())),
            toast,
        }
    }

    pub(crate) fn style(&self) -> String {
        ASSETS.url("style.css")
    }

    pub(crate) fn script(&self) -> String {
        ASSETS.url("tasks.js")
    }

    pub(crate) fn icon(&self) -> String {
        ASSETS.url("mark.svg")
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
    let shown = shown.map(|_| [(header::SET_COOKIE, Toast::shown(app))]);
    (status, Extension(provider), shown, render(template.render())).into_response()
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate<'a> {
    view: View,
    error: &'a ErrorPage,
}

/// The page for a refusal.
pub(crate) fn error_page(site: &str, error: &ErrorPage) -> String {
    let view = View {
        site: site.to_owned(),
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
