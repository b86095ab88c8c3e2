//! What goes wrong on the way to a page, and the page or redirect that it becomes.

use axum::{
    Extension,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::{db, pages::Refusal};

use crate::{
    api_client::{self, Challenge},
    oidc,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// Becomes a log-in that comes back to where the person was; see [`crate::visit::layer`].
    #[error("the session has ended")]
    SessionEnded,
    /// Becomes a log-in that is good enough, and comes back too.
    #[error("the task API wants another log-in")]
    StepUp(Challenge),
    #[error("the log-in was refused: {0}")]
    Login(&'static str),
    #[error("the log-in was not of the kind that was asked for")]
    LoginNotEnough,
    #[error("the identity provider: {0}")]
    Provider(#[from] oidc::Unavailable),
    #[error("the task API: {0}")]
    Api(api_client::Error),
    #[error("there is no such page")]
    NotFound,
    #[error("the database: {0}")]
    Internal(#[from] db::Error),
}

impl From<api_client::Error> for PageError {
    fn from(error: api_client::Error) -> Self {
        match error {
            api_client::Error::SessionEnded => Self::SessionEnded,
            api_client::Error::StepUp(challenge) => Self::StepUp(challenge),
            api_client::Error::Provider(error) => Self::Provider(error),
            api_client::Error::Database(error) => Self::Internal(error),
            error => Self::Api(error),
        }
    }
}

/// In the extensions of a response that stands for [`PageError::SessionEnded`] or [`PageError::StepUp`].
#[derive(Clone, Debug)]
pub(crate) enum LoginNeeded {
    SessionEnded,
    StepUp(Challenge),
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, title, message) = match &self {
            Self::SessionEnded => {
                return (StatusCode::UNAUTHORIZED, Extension(LoginNeeded::SessionEnded)).into_response();
            }
            Self::StepUp(challenge) => {
                let needed = LoginNeeded::StepUp(challenge.clone());
                return (StatusCode::UNAUTHORIZED, Extension(needed)).into_response();
            }
            Self::Login(_) => (
                StatusCode::BAD_REQUEST,
                "This log-in cannot be finished",
                "It was begun in another browser or too long ago, or it was not answered as it should be. Start again.",
            ),
            Self::LoginNotEnough => (
                StatusCode::FORBIDDEN,
                "This needs another kind of log-in",
                "The way that you logged in is not enough for what you wanted to do. Ask whoever runs this place.",
            ),
            Self::Provider(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Logging in is not possible right now",
                "The identity service does not answer. Wait a little, then try again.",
            ),
            Self::Api(api_client::Error::Forbidden) => (
                StatusCode::FORBIDDEN,
                "This is not yours to open",
                "Your account may not do this. If it should, ask whoever runs this place.",
            ),
            Self::Api(api_client::Error::NotFound) => (
                StatusCode::NOT_FOUND,
                "This task is no longer there",
                "It may have been deleted in another window. Your other tasks are in your list.",
            ),
            Self::Api(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The task service does not answer",
                "Your tasks are safe, but cannot be shown or changed right now. Wait a little, then try again.",
            ),
            Self::NotFound => return StatusCode::NOT_FOUND.into_response(),
            Self::Internal(_) => {
                tracing::error!(error = %self, "a page failed");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        };
        tracing::info!(rule = %self, "refused a page");
        let mut response = (status, Extension(Refusal { title, message })).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = axum::http::HeaderValue::from_static("5");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
