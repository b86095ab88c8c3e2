//! Reading an authorization request: first whom it is from and where answers go, then everything else.

use std::sync::Arc;

use chrono::TimeDelta;
use platform::dpop;

use super::{
    super::{
        machine::{self, AuthorizationRefusal},
        parameters::Parameters,
        redirect_uri, request_object, scope,
    },
    acr::Demand,
    prompt::Prompt,
    response::{AuthorizeError, ResponseMode, Target},
};
use crate::{
    App,
    error::PageError,
    oidc::{claims, id_token},
    refusals,
    store::{UserId, Words, clients::Client},
};

/// A well-formed request of a registered client.
#[derive(Clone, Debug)]
pub struct Request {
    pub target: Target,
    pub parameters: Parameters,
    /// Sorted, never empty, within what the client may ask for.
    pub scope: String,
    /// `scope`, and what `claims` asks for in the words of scopes: what a person is asked to allow.
    pub consent_scope: String,
    /// Space-separated; may be empty.
    pub audience: String,
    pub code_challenge: Option<String>,
    pub prompt: Prompt,
    pub max_age: Option<TimeDelta>,
    pub second_factor: Demand,
    /// Claims asked for one by one.
    pub claims: Words,
    /// Whom `id_token_hint` or `claims` names.
    pub hinted_user: Option<UserId>,
}

/// Who is told that a request is no good. RFC 6749 §4.1.2.1: the person, on a page, until client and redirect
/// URI are known to be good; then the client.
#[derive(Debug)]
pub enum Refusal {
    Person(PageError),
    Client {
        target: Box<Target>,
        error: &'static str,
        /// For the log.
        rule: &'static str,
    },
}

impl<E: Into<PageError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Person(error.into())
    }
}

impl Refusal {
    /// As the browser gets it.
    #[must_use]
    pub fn answer(self, app: &App) -> AuthorizeError {
        match self {
            Self::Person(error) => error.into(),
            Self::Client { target, error, rule } => target.refuse(app, error, rule),
        }
    }
}

impl Request {
    pub async fn read(app: &App, parameters: Parameters) -> Result<Self, Refusal> {
        let target = target(app, &parameters).await?;
        let refuse = |error, rule| Refusal::Client { target: Box::new(target.clone()), error, rule };
        if ResponseMode::parse(parameters.get("response_mode")).is_none() {
            return Err(refuse("invalid_request", "response_mode is neither query nor form_post"));
        }
        // Core §6: silently ignoring a request object would be a fault.
        if parameters.get("request_uri").is_some() {
            return Err(refuse("request_uri_not_supported", "only pushed requests have a request_uri"));
        }
        if !target.client.grant_types.has("authorization_code") {
            return Err(refuse("unauthorized_client", "the client is not registered for authorization_code"));
        }
        let negotiated =
            machine::authorize(&parameters, &target.client).map_err(|(error, rule)| refuse(error, rule))?;
        let prompt = Prompt::parse(parameters.get("prompt")).ok_or_else(|| {
            refuse("invalid_request", "prompt has an unknown value, or none beside another")
        })?;
        // RFC 9449 §10.
        if !parameters.get("dpop_jkt").is_none_or(dpop::is_thumbprint) {
            return Err(refuse("invalid_request", "dpop_jkt is not the thumbprint of a key"));
        }
        let max_age = max_age(&parameters).map_err(|rule| refuse("invalid_request", rule))?;
        let audience =
            audience(app, &parameters, &target.client).map_err(|(error, rule)| refuse(error, rule))?;
        let claims = claims::Requested::parse(parameters.get("claims"))
            .map_err(|rule| refuse("invalid_request", rule))?
            .within(&target.client.scope);
        let acr_values = parameters.get("acr_values");
        let second_factor = Demand::of(&target.client, claims.essential_acr.as_deref(), acr_values)
            .ok_or_else(|| {
                // OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
                refuse("unmet_authentication_requirements", "an essential acr is not one that we give")
            })?;
        let claimed_user = match &claims.sub {
            None => None,
            Some(sub) => {
                let user = sub.parse().map(UserId);
                Some(user.map_err(|_| refuse("login_required", "claims asks for a sub that nobody has"))?)
            }
        };
        let hinted_user = match parameters.get("id_token_hint") {
            None => claimed_user,
            Some(hint) => {
                let hint = id_token::read_hint(app, hint)
                    .map_err(|_| refuse("invalid_request", "id_token_hint is not an ID token of ours"))?;
                if claimed_user.is_some_and(|claimed| claimed != hint.sub) {
                    return Err(refuse("login_required", "id_token_hint and claims name different people"));
                }
                Some(hint.sub)
            }
        };
        Ok(Self {
            code_challenge: negotiated.code_challenge,
            audience,
            prompt,
            max_age,
            second_factor,
            hinted_user,
            consent_scope: claims.scopes().fold(negotiated.scope.clone(), |all, one| scope::union(&all, one)),
            claims: claims.words,
            scope: negotiated.scope,
            target,
            parameters,
        })
    }
}

/// Where the answers to these parameters go.
pub async fn target(app: &App, parameters: &Parameters) -> Result<Target, PageError> {
    let (client, redirect_uri) = recipient(app, parameters).await?;
    let mode = ResponseMode::parse(parameters.get("response_mode"));
    Ok(Target {
        client,
        redirect_uri,
        state: parameters.get("state").filter(|_| !parameters.is_duplicated("state")).map(str::to_owned),
        mode: mode.unwrap_or(ResponseMode::Query),
    })
}

/// What a request object among these parameters says, which they then stand for. To be called where requests
/// come in; what waits or was pushed has been opened before.
pub async fn open(
    app: &App,
    parameters: &Parameters,
) -> Result<Result<Option<Parameters>, AuthorizationRefusal>, PageError> {
    // What is malformed is refused when it is read.
    let (Some(client_id), false) = (parameters.get("client_id"), parameters.malformed()) else {
        return Ok(Ok(None));
    };
    let client = app.clients.find(client_id).await?;
    let client = client.ok_or(PageError::Request("the client is unknown or disabled"))?;
    Ok(match (parameters.get("request"), parameters.get("request_uri")) {
        (None, _) if client.require_signed_request_object => {
            Err(("invalid_request", "this client has to sign its requests"))
        }
        (None, _) => Ok(None),
        // RFC 9101 §5.
        (Some(_), Some(_)) => Err(("invalid_request", "there are both request and request_uri")),
        (Some(request), None) => {
            let opened = request_object::open(app, &client, request).await;
            opened.map(Some).map_err(|rule| ("invalid_request_object", rule))
        }
    })
}

/// The client, and which of its redirect URIs is meant.
async fn recipient(app: &App, parameters: &Parameters) -> Result<(Arc<Client>, String), PageError> {
    if parameters.is_duplicated("client_id") || parameters.is_duplicated("redirect_uri") {
        return Err(PageError::Request("client_id or redirect_uri was sent twice"));
    }
    let id = parameters.get("client_id").ok_or(PageError::Request("client_id is missing"))?;
    let client =
        app.clients.find(id).await?.ok_or(PageError::Request("the client is unknown or disabled"))?;
    refusals::client(&client.id);
    let uri = parameters.get("redirect_uri").ok_or(PageError::Request("redirect_uri is missing"))?;
    if !redirect_uri::is_registered(&client.redirect_uris.0, uri) {
        return Err(PageError::Request("redirect_uri is not registered"));
    }
    Ok((client, uri.to_owned()))
}

/// Seconds, a whole number (Core §3.1.2.1).
fn max_age(parameters: &Parameters) -> Result<Option<TimeDelta>, &'static str> {
    let Some(text) = parameters.get("max_age") else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse::<u32>().ok().filter(|_| digits).ok_or("max_age is not a number of seconds")?;
    Ok(Some(TimeDelta::seconds(seconds.into())))
}

/// The audience that tokens get: the `resource`s asked for (RFC 8707), else the client's own.
pub fn audience(
    app: &App,
    parameters: &Parameters,
    client: &Client,
) -> Result<String, (&'static str, &'static str)> {
    let mut audience = Vec::new();
    for resource in parameters.all("resource") {
        let known = app.config.resources.iter().any(|known| known.identifier == resource)
            || scope::has(&client.audience, resource);
        if !known {
            return Err(("invalid_target", "resource is not one that tokens are given for"));
        }
        if !audience.contains(&resource) {
            audience.push(resource);
        }
    }
    Ok(if audience.is_empty() { client.audience.clone() } else { audience.join(" ") })
}
