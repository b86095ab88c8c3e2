//! Refusals that people read. Machines get `oauth2::error`.

use axum::{
    Extension,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use platform::{
    db,
    pages::{FormError, Refusal},
};

use crate::{
    clients::{self, NotNow},
    password::Busy,
    refusals, store,
};

/// A page instead of the one that was asked for. `platform::pages::layer` renders it.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The client or its redirect URI is not good: nobody may be sent anywhere (RFC 6749 §4.1.2.1).
    #[error("not a request of a registered client: {0}")]
    Request(&'static str),
    /// The pending authorization request is not there any more, or belongs to another browser.
    #[error("the pending authorization request is gone")]
    Gone,
    /// A link in a mail was used, has expired, or what it was for has changed.
    #[error("the link is not good any more")]
    Link,
    #[error("sign-up is closed")]
    SignUpClosed,
    /// There is no such thing, or it is somebody else's.
    #[error("nothing of this person's")]
    NotFound,
    /// Something else comes first, at this place of ours.
    #[error("something else comes first")]
    Elsewhere(String),
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error(transparent)]
    Form(#[from] FormError),
    #[error(transparent)]
    NotNow(#[from] NotNow),
    #[error("storage failed: {0}")]
    Internal(#[from] store::Error),
    #[error("a token could not be signed: {0}")]
    Sign(#[from] crate::keys::InvalidToken),
}

impl From<clients::Error> for PageError {
    fn from(error: clients::Error) -> Self {
        match error {
            clients::Error::NotNow(not_now) => Self::NotNow(not_now),
            clients::Error::Store(error) => Self::Internal(error),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let refuse = |status, title, message| (status, Extension(Refusal { title, message })).into_response();
        match &self {
            Self::Request(rule) => refusals::refused("page", rule),
            // The first says itself what it is, the others are no refusals.
            Self::Form(_) | Self::Elsewhere(_) | Self::Internal(_) | Self::Sign(_) => {}
            rule => refusals::refused("page", rule),
        }
        match self {
            Self::Form(error) => error.into_response(),
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Elsewhere(place) => Redirect::to(&place).into_response(),
            Self::Internal(error) => {
                tracing::error!(%error, "storage failed");
                if db::is_busy(&error) {
                    ([(header::RETRY_AFTER, "1")], StatusCode::SERVICE_UNAVAILABLE).into_response()
                } else {
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                }
            }
            Self::Sign(error) => {
                tracing::error!(%error, "a token could not be signed");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
            Self::Busy(busy) => {
                tracing::warn!(rule = %busy, "refused a password");
                ([(header::RETRY_AFTER, "5")], StatusCode::SERVICE_UNAVAILABLE).into_response()
            }
            Self::NotNow(not_now) => {
                tracing::warn!(rule = %not_now, "cannot say which client this is");
                let refusal = refuse(
                    not_now.status(),
                    "We cannot look at this app right now",
                    "Too many new apps are asking at the same time. Wait a little, then go back to the app and try again.",
                );
                ([(header::RETRY_AFTER, not_now.retry_after())], refusal).into_response()
            }
            Self::Request(rule) => {
                tracing::info!(rule, "refused an authorization request without redirecting");
                refuse(
                    StatusCode::BAD_REQUEST,
                    "This sign-in link does not work",
                    "The app that sent you here made a request that we cannot trust. Go back to the app; if it happens again, tell its makers.",
                )
            }
            Self::Gone => refuse(
                StatusCode::BAD_REQUEST,
                "This took too long",
                "The sign-in that you started is not waiting here any more. Go back to the app and start again.",
            ),
            Self::Link => refuse(
                StatusCode::BAD_REQUEST,
                "This link is no longer good",
                "It was used, has expired, or what it was for has changed in the meantime. Ask for a new mail, and open the newest.",
            ),
            Self::SignUpClosed => refuse(
                StatusCode::FORBIDDEN,
                "Accounts are made by the administrator",
                "You cannot sign up yourself here. Ask whoever runs this place for an account.",
            ),
        }
    }
}
