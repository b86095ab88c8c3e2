//! The OpenAPI document, and what the endpoints' descriptions in it share.

use std::collections::BTreeMap;

use utoipa::{
    IntoParams, IntoResponses, OpenApi,
    openapi::{
        ContentBuilder, HeaderBuilder, InfoBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        ServerBuilder,
        schema::Type,
        security::{OpenIdConnect, SecurityScheme},
    },
};

use crate::{config::Config, error::ProblemDetails, store::tasks::Task};

const DESCRIPTION: &str = "Every request carries an access token of the issuer: \
`Authorization: Bearer <token>`, or `DPoP <token>` with a proof of the key that the token is bound to (RFC 9449). Lists are named by their owner: `me`, or the token's `sub`. \
Refusals are problem details (RFC 9457).";

#[derive(OpenApi)]
#[openapi(
    tags(
        (name = "tasks", description = "The tasks of the caller"),
        (name = "metadata", description = "What clients can find out by themselves"),
    ),
    components(schemas(ProblemDetails))
)]
struct Document;

/// The document without the paths, which the router adds.
pub(crate) fn document(config: &Config) -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.info = InfoBuilder::new()
        .title("Latchkey tasks")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url(&config.public_url).build()]);
    let discovery = format!("{}/.well-known/openid-configuration", config.issuer.trim_end_matches('/'));
    let scheme =
        OpenIdConnect::with_description(discovery, "An access token (RFC 9068) for this API.".to_owned());
    document
        .components
        .get_or_insert_default()
        .add_security_scheme("openid", SecurityScheme::OpenIdConnect(scheme));
    document
}

/// Where a list is.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct UserParams {
    /// `me`, or the token's `sub`.
    #[param(example = "me")]
    user_id: String,
}

/// Where a task is.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct TaskParams {
    /// `me`, or the token's `sub`.
    #[param(example = "me")]
    user_id: String,
    /// The task's id.
    #[param(format = Uuid, example = "0198c5b0-6c2e-7d3a-9a53-3f1d2c4b5a69")]
    id: String,
}

/// The answer of everything that yields one task.
#[derive(IntoResponses)]
#[response(
    status = OK,
    description = "The task",
    headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`"))
)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct TaskAnswer(#[to_schema] Task);

/// How any request with a token can be refused.
pub(crate) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let challenge = "How to do it right (RFC 6750, RFC 9728)";
        refusals([
            ("400", "The request is malformed", Some(("WWW-Authenticate", challenge))),
            ("401", "There is no access token, or it is not valid", Some(("WWW-Authenticate", challenge))),
            (
                "403",
                "The access token lacks the scope, or the list is somebody else's",
                Some(("WWW-Authenticate", challenge)),
            ),
            ("500", "Something went wrong on our side", None),
            (
                "503",
                "The service is busy, or cannot fetch the issuer's keys",
                Some(("Retry-After", "When to try again, in seconds")),
            ),
        ])
    }
}

pub(crate) struct NoSuchTask;

impl IntoResponses for NoSuchTask {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([("404", "There is no such task in this list", None)])
    }
}

pub(crate) struct Changed;

impl IntoResponses for Changed {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([("412", "`If-Match` does not name the task's current version", None)])
    }
}

pub(crate) struct BadBody;

impl IntoResponses for BadBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([
            ("413", "The body is larger than 64 KiB", None),
            ("415", "The body is not `application/json`", None),
            ("422", "Some fields are wrong: `errors` has one entry for each", None),
        ])
    }
}

pub(crate) struct BadQuery;

impl IntoResponses for BadQuery {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        refusals([("422", "Some parameters are wrong: `errors` has one entry for each", None)])
    }
}

type Refusal = (&'static str, &'static str, Option<(&'static str, &'static str)>);

fn refusals<const N: usize>(refusals: [Refusal; N]) -> BTreeMap<String, RefOr<Response>> {
    let response = |(status, description, header): Refusal| {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let mut response =
            ResponseBuilder::new().description(description).content("application/problem+json", problem);
        if let Some((name, meaning)) = header {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let header = HeaderBuilder::new().schema(Some(text)).description(Some(meaning)).build();
            response = response.header(name, header);
        }
        (status.to_owned(), RefOr::T(response.build()))
    };
    refusals.into_iter().map(response).collect()
}
