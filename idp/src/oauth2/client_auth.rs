//! Client Authentication, RFC 6749 §2.3: by the method that the client is registered with, and by no other.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{client_assertion, error::TokenError, parameters::Parameters};
use crate::{App, refusals, store::clients::Client};

/// What a request brought to prove who it is.
struct Credentials {
    client_id: String,
    proof: Proof,
    method: &'static str,
}

enum Proof {
    None,
    Secret(String),
    Assertion(String),
}

/// The client that sent a request to the token endpoint or one of its neighbours.
pub async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Arc<Client>, TokenError> {
    let credentials = credentials(headers, parameters)?;
    refusals::input("client_id", &credentials.client_id);
    refusals::input("authenticated by", credentials.method);
    let client = app.clients.find(&credentials.client_id).await?;
    let client = client.ok_or(TokenError::InvalidClient("the client is unknown or disabled"))?;
    refusals::client(&client.id);
    if client.token_endpoint_auth_method != credentials.method {
        return Err(TokenError::InvalidClient("the client is registered for another method"));
    }
    match (&client.secret_hash, &credentials.proof) {
        (None, Proof::None) => Ok(client),
        (Some(hash), Proof::Secret(secret)) if hash.matches(secret) => Ok(client),
        (None, Proof::Assertion(assertion)) => {
            client_assertion::verify(app, &client, assertion).await?;
            Ok(client)
        }
        _ => Err(TokenError::InvalidClient("the secret is wrong")),
    }
}

fn credentials(headers: &HeaderMap, parameters: &Parameters) -> Result<Credentials, TokenError> {
    if parameters.malformed() {
        return Err(TokenError::InvalidRequest("a parameter was sent twice or is malformed"));
    }
    let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
    let (header, more) = (authorization.next(), authorization.next());
    let id_in_body = parameters.get("client_id");
    let secret_in_body = parameters.get("client_secret");
    if let Some(assertion) = assertion(parameters)? {
        if header.is_some() || secret_in_body.is_some() {
            return Err(TokenError::InvalidRequest("the client authenticates in two ways at once"));
        }
        let claimed = client_assertion::claimed(assertion)
            .ok_or(TokenError::InvalidClient("the assertion is not a JWT with the claims of one"))?;
        // RFC 7521 §4.2.
        if id_in_body.is_some_and(|id| id != claimed) {
            return Err(TokenError::InvalidClient("client_id is another than in the assertion"));
        }
        let proof = Proof::Assertion(assertion.to_owned());
        return Ok(Credentials { client_id: claimed, proof, method: "private_key_jwt" });
    }
    match (header, secret_in_body) {
        _ if more.is_some() => Err(TokenError::InvalidRequest("there are two Authorization headers")),
        (Some(_), Some(_)) => Err(TokenError::InvalidRequest("the client authenticates in two ways at once")),
        (Some(header), None) => {
            let basic = header.to_str().ok().and_then(basic);
            let (client_id, secret) =
                basic.ok_or(TokenError::InvalidClient("the Authorization header is not a Basic one"))?;
            if id_in_body.is_some_and(|id| id != client_id) {
                return Err(TokenError::InvalidRequest(
                    "client_id is another than in the Authorization header",
                ));
            }
            Ok(Credentials { client_id, proof: Proof::Secret(secret), method: "client_secret_basic" })
        }
        (None, secret) => {
            let client_id =
                id_in_body.ok_or(TokenError::InvalidClient("the request names no client"))?.to_owned();
            let method = if secret.is_some() { "client_secret_post" } else { "none" };
            let proof = secret.map_or(Proof::None, |secret| Proof::Secret(secret.to_owned()));
            Ok(Credentials { client_id, proof, method })
        }
    }
}

/// RFC 7521 §4.2: the assertion and its type go together.
fn assertion(parameters: &Parameters) -> Result<Option<&str>, TokenError> {
    match (parameters.get("client_assertion_type"), parameters.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(client_assertion::TYPE), Some(assertion)) => Ok(Some(assertion)),
        _ => Err(TokenError::InvalidRequest("client_assertion and its type do not go together")),
    }
}

/// `Basic base64(form-encoded id ":" form-encoded secret)`, RFC 6749 §2.3.1.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decode(id)?, form_decode(secret)?))
}

fn form_decode(text: &str) -> Option<String> {
    // As the value of one form field; `&` and `=` would make it another or several.
    if text.contains(['&', '=']) {
        return Some(text.to_owned());
    }
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    match pairs.next() {
        Some((decoded, _)) => Some(decoded.into_owned()),
        None => Some(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(user_and_password: &str) -> Option<(String, String)> {
        basic(&format!("Basic {}", STANDARD.encode(user_and_password)))
    }

    #[test]
    fn id_and_secret_are_form_decoded() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(read("app:secret"), pair("app", "secret"));
        assert_eq!(read("https%3A%2F%2Fapp:a%2Bb+c%25"), pair("https://app", "a+b c%"));
        assert_eq!(read("app:a:b"), pair("app", "a:b"));
        assert_eq!(read("app:"), pair("app", ""));
        assert_eq!(basic("basic YXBwOng="), pair("app", "x"));
        for bad in ["Basic", "Basic !!!", "Bearer YXBwOng=", "Basic YXBw", "YXBwOng="] {
            assert_eq!(basic(bad), None, "{bad}");
        }
    }
}
