//! Protected Resource Metadata, RFC 9728.

use axum::{Json, extract::State};
use platform::{config::origin, dpop};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    App,
    bearer::{Read, RequiredScope, Write},
    config::Config,
};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What RFC 9728 §2 defines.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProtectedResourceMetadata {
    /// What to ask tokens for (`resource`, RFC 8707).
    #[schema(example = "http://localhost:8000")]
    resource: String,
    #[schema(example = json!(["http://localhost:9000"]))]
    authorization_servers: [String; 1],
    #[schema(example = json!(["tasks:read", "tasks:write"]))]
    scopes_supported: [&'static str; 2],
    #[schema(example = json!(["header"]))]
    bearer_methods_supported: [&'static str; 1],
    /// RFC 9449: tokens may be bound to a key.
    #[schema(example = json!(["ES256", "EdDSA"]))]
    dpop_signing_alg_values_supported: [&'static str; 5],
    resource_name: &'static str,
    resource_documentation: String,
}

/// Who issues tokens for this API, and with which scopes
#[utoipa::path(
    get,
    path = WELL_KNOWN,
    tag = "metadata",
    security(()),
    responses((status = OK, description = "Metadata as RFC 9728 defines it", body = ProtectedResourceMetadata))
)]
pub(crate) async fn get(State(app): State<App>) -> Json<ProtectedResourceMetadata> {
    let resource = app.config.public_url.clone();
    Json(ProtectedResourceMetadata {
        authorization_servers: [app.config.issuer.clone()],
        scopes_supported: [Read::SCOPE, Write::SCOPE],
        bearer_methods_supported: ["header"],
        dpop_signing_alg_values_supported: dpop::algorithms(),
        resource_name: "Latchkey tasks",
        resource_documentation: format!("{resource}/docs"),
        resource,
    })
}

/// §3.1: for a resource with a path, its metadata are below a path of their own.
pub(crate) fn path_of_resource(config: &Config) -> Option<String> {
    let path = config.public_url.strip_prefix(&origin(&config.public_url)).unwrap_or_default();
    (!path.is_empty()).then(|| format!("{WELL_KNOWN}{path}"))
}

/// RFC 6750 §3 with RFC 9728 §5.1: how every `WWW-Authenticate` begins.
pub(crate) fn challenge(config: &Config) -> String {
    let path = path_of_resource(config).unwrap_or_else(|| WELL_KNOWN.to_owned());
    let origin = origin(&config.public_url);
    format!(r#"Bearer realm="tasks", resource_metadata="{origin}{path}""#)
}
