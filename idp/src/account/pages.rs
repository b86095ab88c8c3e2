//! Pages that have no handler of their own.

use askama::Template;
use axum::http::StatusCode;
use platform::{pages::ErrorPage, place::Place};

/// Sends an authorization response by POST (OAuth 2.0 Form Post Response Mode §4): at once with a
/// script, by a button without.
#[derive(Debug, Template)]
#[template(path = "form_post.html")]
pub struct FormPost<'a> {
    pub place: &'a Place,
    pub redirect_uri: &'a str,
    pub parameters: &'a [(&'a str, String)],
    pub nonce: &'a str,
}

/// Asks before logging out: without an ID token nobody knows who sent the person here (RP-Initiated
/// Logout 1.0 §2).
#[derive(Debug, Template)]
#[template(path = "logout_confirm.html")]
pub struct LogoutConfirm<'a> {
    pub place: &'a Place,
    pub email: &'a str,
    pub form_token: &'a str,
    /// Hidden fields of the request, posted back to `/logout/confirm`.
    pub parameters: &'a [(&'a str, String)],
}

#[derive(Debug, Template)]
#[template(path = "logged_out.html")]
pub struct LoggedOut<'a> {
    pub place: &'a Place,
}

#[derive(Template)]
#[template(path = "error.html")]
struct Error<'a> {
    place: &'a Place,
    page: &'a ErrorPage,
}

/// Renders refusals, in the name of the place.
pub fn error_page(place: Place) -> impl Fn(&ErrorPage) -> String + Send + Sync {
    move |page| {
        Error { place: &place, page }.render().unwrap_or_else(|error| {
            tracing::error!(%error, "the error page failed");
            page.title.to_owned()
        })
    }
}

pub async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}
