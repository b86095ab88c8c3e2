//! Who is visiting, and the way to log in for those who must.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderName, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use platform::pages::Page;
use url::form_urlencoded;

use crate::{
    App,
    api_client::Challenge,
    error::{LoginNeeded, PageError},
    session::{self, Session},
    toast::Toast,
};

/// The script's requests have this header. They cannot follow a redirect to the provider, which is another site.
static IN_PLACE: HeaderName = HeaderName::from_static("latchkey-in-place");

/// A visit, by somebody who is logged in or not.
pub(crate) struct Visit {
    pub(crate) page: Page,
    pub(crate) toast: Option<Toast>,
    pub(crate) session: Option<Session>,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let page = Page::from_request_parts(parts, app).await.map_err(IntoResponse::into_response)?;
        let toast = Toast::waiting(&app.site, &parts.headers);
        let session = Session::find(app, &parts.headers).await;
        Ok(Self { page, toast, session: session.map_err(|error| PageError::from(error).into_response())? })
    }
}

/// A visit by somebody who is logged in. Others are sent to log in, and come back.
pub(crate) struct Member {
    pub(crate) page: Page,
    pub(crate) toast: Option<Toast>,
    pub(crate) session: Arc<Session>,
}

impl FromRequestParts<App> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let Visit { page, toast, session } = Visit::from_request_parts(parts, app).await?;
        let session = session.ok_or_else(|| PageError::SessionEnded.into_response())?;
        Ok(Self { page, toast, session: Arc::new(session) })
    }
}

/// Turns "log in first" into a log-in that leads back to the page where the person was: a redirect, or for the
/// script the place that it has the browser go to.
pub(crate) async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    let place = match request.uri().path_and_query() {
        Some(place) if asks => place.as_str().to_owned(),
        // A form is not posted again after a log-in: back to the page that has it.
        _ if path.ends_with("/edit") || path.ends_with("/delete") => path.to_owned(),
        _ => "/tasks".to_owned(),
    };
    let sent = session::is_sent(&app, request.headers());
    let in_place = request.headers().contains_key(&IN_PLACE);
    let response = next.run(request).await;
    let Some(needed) = response.extensions().get::<LoginNeeded>() else { return response };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("return_to", &place);
    let ended = match needed {
        LoginNeeded::SessionEnded => true,
        LoginNeeded::StepUp(Challenge { max_age, acr_values }) => {
            // A demand that does not say what: any log-in that is of now.
            let max_age = max_age.as_deref().or(acr_values.is_none().then_some("0"));
            query.extend_pairs(max_age.map(|value| ("max_age", value)));
            query.extend_pairs(acr_values.as_ref().map(|value| ("acr_values", value)));
            false
        }
    };
    let login = format!("/login?{}", query.finish());
    let mut response = if in_place {
        let headers = [(header::LOCATION, login.as_str()), (header::CACHE_CONTROL, "no-store")];
        (StatusCode::NO_CONTENT, headers).into_response()
    } else {
        Redirect::to(&login).into_response()
    };
    // A post of another site comes without the cookie: that is no reason to take it away.
    if sent && ended {
        response.headers_mut().append(header::SET_COOKIE, session::forget(&app));
    }
    if sent && !asks {
        let toast = if ended { Toast::SessionEnded } else { Toast::StepUp };
        response.headers_mut().append(header::SET_COOKIE, toast.leave(&app.site));
    }
    response
}
