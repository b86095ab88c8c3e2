//! A page that leads on by itself, in the place of a redirect.
//!
//! Browsers apply a page's `form-action` to every redirect that follows a form, and nobody knows where a provider
//! sends people in between, nor where we send those whom it sends back. What a page leads to is no redirect.

use askama::Template;
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use platform::{pages::render, place::Place};

use crate::App;

#[derive(Template)]
#[template(path = "onward.html")]
struct Onward<'a> {
    place: &'a Place,
    /// The provider's name, on the way to it.
    to: Option<&'a str>,
    address: &'a str,
}

/// To a provider.
pub fn to(app: &App, name: &str, address: &str) -> Response {
    render(Onward { place: &app.place, to: Some(name), address }.render())
}

/// Where a redirect leads, with the cookies that it sets. Anything else stays as it is.
pub fn instead_of(app: &App, redirect: impl IntoResponse) -> Response {
    let response = redirect.into_response();
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let Some(address) = location.filter(|_| response.status().is_redirection()) else { return response };
    let mut page = render(Onward { place: &app.place, to: None, address }.render());
    for cookie in response.headers().get_all(header::SET_COOKIE) {
        page.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    page
}
