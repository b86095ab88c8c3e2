//! What refusals look like: problem details (RFC 9457), with a Bearer challenge (RFC 6750 §3) where
//! a token is what is wrong.

use std::borrow::Cow;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use platform::{db, dpop, http};
use serde::Serialize;
use utoipa::ToSchema;

use crate::bearer::Demand;

/// One thing that is wrong with a request: a member of its body, or a query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The member of the body or the query parameter.
    #[schema(example = "title")]
    pub field: String,
    #[schema(example = "must have 1 to 255 characters")]
    pub detail: Cow<'static, str>,
}

/// A refusal, as problem details (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDetails<'a> {
    #[schema(example = "Unprocessable Entity")]
    title: &'a str,
    #[schema(example = 422)]
    status: u16,
    #[schema(example = "Some fields are wrong.")]
    detail: &'a str,
    /// One entry for each wrong field; absent otherwise.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldError],
    /// What the operator finds this request by; also in `X-Request-Id`.
    request_id: String,
}

/// A refusal in words for the caller. What more there is to know is logged where it is made.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    #[must_use]
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), errors: Vec::new(), headers: Vec::new() }
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// 422, with one entry for each wrong field.
    #[must_use]
    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let detail = "Some fields are wrong.";
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// 404, the same for a task that does not exist and for one of somebody else.
    #[must_use]
    pub(crate) fn no_such_task() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such task in this list.")
    }

    #[must_use]
    pub(crate) fn precondition_failed() -> Self {
        let detail = "The task was changed since: fetch it again and decide anew.";
        Self::new(StatusCode::PRECONDITION_FAILED, detail)
    }

    #[must_use]
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.")
    }
}

impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        tracing::error!(%error, "the database failed");
        if db::is_busy(&error) {
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "The service is busy; try again.")
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        } else {
            Self::internal()
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail, errors, headers } = self;
        if status.is_client_error() {
            let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
            tracing::info!(status = status.as_u16(), ?fields, "refused: {detail}");
        }
        let details = ProblemDetails {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: &detail,
            errors: &errors,
            request_id: http::current().id.to_string(),
        };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let media_type = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, media_type)], body).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// What no route matches.
pub(crate) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is nothing here.")
}

/// Gives axum's own bare refusals (405 with its `Allow`) the form that all others have.
pub(crate) async fn as_problem(response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let problem = Problem::new(response.status(), "This method cannot be used here.");
    match allow {
        Some(allow) => problem.with_header(header::ALLOW, allow).into_response(),
        None => problem.into_response(),
    }
}

/// RFC 6750 §3.1. The client learns the code; which rule refused goes to the log.
#[derive(Debug)]
pub(crate) enum BearerError {
    /// No credentials of this scheme: the challenge names no error.
    NoCredentials,
    /// `invalid_request`
    Malformed(&'static str),
    /// `invalid_token`
    InvalidToken(&'static str),
    /// `insufficient_scope`, and the scope that is needed.
    InsufficientScope(&'static str),
    /// `insufficient_user_authentication`, RFC 9470 §3
    InsufficientAuthentication(Demand),
    /// `invalid_dpop_proof`, RFC 9449 §7.1
    InvalidDpopProof(&'static str),
    /// Whether a proof was used before cannot be told.
    Internal(db::Error),
    /// The issuer's keys could not be fetched: nobody can tell whether the token is good.
    NoKeys,
}

impl From<db::Error> for BearerError {
    fn from(error: db::Error) -> Self {
        Self::Internal(error)
    }
}

impl BearerError {
    /// The answer; `challenge` is the part of the Bearer challenge that is always the same.
    #[must_use]
    pub(crate) fn into_problem(self, challenge: &str) -> Problem {
        let about_proof = matches!(self, Self::InvalidDpopProof(_));
        let (status, detail, attributes) = match self {
            Self::NoCredentials => (StatusCode::UNAUTHORIZED, "An access token is needed.", String::new()),
            Self::Malformed(rule) => {
                tracing::info!(rule, "refused an Authorization header");
                let attributes = r#", error="invalid_request""#.to_owned();
                (StatusCode::BAD_REQUEST, "The Authorization header is malformed.", attributes)
            }
            Self::InvalidToken(rule) => {
                tracing::info!(rule, "refused an access token");
                let attributes = r#", error="invalid_token""#.to_owned();
                (StatusCode::UNAUTHORIZED, "The access token is not valid here, or not any more.", attributes)
            }
            Self::InsufficientScope(scope) => {
                tracing::info!(rule = "scope", scope, "refused an access token");
                let attributes = format!(r#", error="insufficient_scope", scope="{scope}""#);
                (StatusCode::FORBIDDEN, "The access token does not allow this.", attributes)
            }
            Self::InsufficientAuthentication(demand) => {
                let demanded = demand.attributes();
                tracing::info!(rule = "step_up", demanded, "asked for another log-in");
                let attributes = format!(r#", error="insufficient_user_authentication"{demanded}"#);
                (
                    StatusCode::UNAUTHORIZED,
                    "This needs a more recent log-in, or another kind of one.",
                    attributes,
                )
            }
            Self::InvalidDpopProof(rule) => {
                tracing::info!(rule, "refused a DPoP proof");
                let attributes = r#", error="invalid_dpop_proof""#.to_owned();
                (
                    StatusCode::UNAUTHORIZED,
                    "There is no good proof of the key that the token is bound to.",
                    attributes,
                )
            }
            Self::Internal(error) => return error.into(),
            Self::NoKeys => {
                tracing::warn!("an access token cannot be checked: the issuer's keys were never fetched");
                return Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Access tokens cannot be checked at the moment.",
                )
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
        };
        let bearer = (!about_proof).then(|| format!("{challenge}{attributes}"));
        let dpop = format!("DPoP algs=\"{}\"{attributes}", dpop::algorithms().join(" "));
        let challenges = bearer.into_iter().chain([dpop]).filter_map(|text| HeaderValue::try_from(text).ok());
        challenges.fold(Problem::new(status, detail), |problem, challenge| {
            problem.with_header(header::WWW_AUTHENTICATE, challenge)
        })
    }
}
