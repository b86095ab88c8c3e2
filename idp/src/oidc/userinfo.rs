//! UserInfo Endpoint, OpenID Connect Core §5.3: claims about the person, by the scopes of the access token.

use axum::{Json, http::HeaderValue};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, header},
};
use openidconnect::{EmptyAdditionalClaims, core::CoreUserInfoClaims};

use super::standard_claims::{self, ABOUT_PEOPLE};
use crate::{
    App,
    oauth2::{
        access_token::{self, Claims},
        dpop,
        error::BearerError,
        parameters::Parameters,
        scope,
    },
    refusals,
    store::users,
};

type Answer = ([(HeaderName, &'static str); 1], Json<CoreUserInfoClaims>);

pub async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Answer, BearerError> {
    userinfo(&app, "GET", &headers, None).await
}

pub async fn post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Answer, BearerError> {
    userinfo(&app, "POST", &headers, Parameters::from_form(&headers, &body)).await
}

async fn userinfo(
    app: &App,
    method: &str,
    headers: &HeaderMap,
    form: Option<Parameters>,
) -> Result<Answer, BearerError> {
    let (scheme, token) = credentials(headers, form)?;
    let mut conn = app.db.read().await?;
    let live = access_token::find_live(app, &mut conn, &token).await?;
    refusals::client(&live.claims.client_id);
    // Never two connections at once: everybody could wait for everybody else's second.
    drop(conn);
    check_possession(app, method, headers, scheme, &token, &live.claims).await?;
    let mut conn = app.db.read().await?;
    let scopes = &live.claims.scope;
    let grant = live.grant.filter(|_| scope::has(scopes, "openid"));
    let grant = grant.ok_or(BearerError::InsufficientScope("openid"))?;
    let user = users::find(&mut conn, grant.user_id).await?;
    let user = user.ok_or(BearerError::InvalidToken("its user is gone"))?;

    let by_scope =
        |claim: &str| ABOUT_PEOPLE.iter().any(|(have, by)| *have == claim && scope::has(scopes, by));
    let claims = standard_claims::about(&user, |claim| {
        by_scope(claim) || grant.claims.has(&format!("userinfo:{claim}"))
    });
    let claims = CoreUserInfoClaims::new(claims, EmptyAdditionalClaims {});
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(claims)))
}

/// How an access token was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

/// RFC 9449 §7.1: a token that is bound to a key is worth nothing without proof of the key, and none is
/// taken for bound that is not.
async fn check_possession(
    app: &App,
    method: &str,
    headers: &HeaderMap,
    scheme: Scheme,
    token: &str,
    claims: &Claims,
) -> Result<(), BearerError> {
    match (scheme, &claims.cnf) {
        (Scheme::Bearer, None) => Ok(()),
        (Scheme::Bearer, Some(_)) => {
            Err(BearerError::InvalidToken("it is bound to a key, and was sent as Bearer"))
        }
        (Scheme::Dpop, None) => {
            Err(BearerError::InvalidToken("it is not bound to a key, and was sent as DPoP"))
        }
        (Scheme::Dpop, Some(cnf)) => {
            let jkt = dpop::proven(app, None, headers, method, "/userinfo", Some(token)).await?;
            match jkt {
                Some(jkt) if jkt == cnf.jkt => Ok(()),
                Some(_) => Err(BearerError::InvalidToken("the proof is of another key")),
                None => Err(BearerError::InvalidDpopProof("there is no proof")),
            }
        }
    }
}

/// What is sent in the header, and bound to no key: nothing but access tokens is.
pub fn bearer(headers: &HeaderMap) -> Result<String, BearerError> {
    match credentials(headers, None)? {
        (Scheme::Bearer, token) => Ok(token),
        (Scheme::Dpop, _) => Err(BearerError::InvalidToken("it is not bound to a key, and was sent as DPoP")),
    }
}

/// The access token of a request: in the header (RFC 6750 §2.1, RFC 9449 §7.1) or in a posted form (§2.2), never in both.
fn credentials(headers: &HeaderMap, form: Option<Parameters>) -> Result<(Scheme, String), BearerError> {
    const TWICE: BearerError = BearerError::InvalidRequest("there is more than one access token");
    let form = form.unwrap_or_default();
    if form.is_duplicated("access_token") {
        return Err(TWICE);
    }
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    match (sent.next(), sent.next(), form.get("access_token")) {
        (None, _, None) => Err(BearerError::Missing),
        (None, _, Some(token)) => Ok((Scheme::Bearer, token.to_owned())),
        (Some(header), None, None) => from_header(header),
        _ => Err(TWICE),
    }
}

fn from_header(header: &HeaderValue) -> Result<(Scheme, String), BearerError> {
    let (scheme, token) =
        header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(BearerError::Missing)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Scheme::Bearer,
        "dpop" => Scheme::Dpop,
        _ => return Err(BearerError::Missing),
    };
    Ok((scheme, token.trim().to_owned()))
}
