//! The pages about tasks.

pub(crate) mod complete;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod edit;
mod form;
pub(crate) mod list;
mod moment;
mod place;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
    response::Response,
};
use uuid::Uuid;

use crate::{App, api_client, error::PageError, toast::Toast};
pub(crate) use place::Place;

/// The `{id}` in a path; what is not one is a page that does not exist.
pub(crate) struct TaskId(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for TaskId {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let id = Path::<Uuid>::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| PageError::NotFound)
    }
}

/// Back to the list, with a word about how an action ended.
fn back(app: &App, place: &Place, outcome: Result<Toast, api_client::Error>) -> Result<Response, PageError> {
    let toast = match outcome {
        Ok(toast) => toast,
        Err(api_client::Error::Forbidden) => Toast::Forbidden,
        Err(api_client::Error::NotFound) => Toast::NotFound,
        Err(error @ (api_client::Error::Unreachable(_) | api_client::Error::Invalid(_))) => {
            tracing::warn!(%error, "the task API did not do it");
            Toast::Unreachable
        }
        Err(error) => return Err(error.into()),
    };
    Ok(toast.redirect(&app.site, &place.path()))
}
