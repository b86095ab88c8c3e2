//! Signed request objects by value, RFC 9101 and OpenID Connect Core §6.1: what a client asks for cannot be
//! changed on its way through the browser.

use chrono::TimeDelta;
use platform::jws::{self, Jws, NumericDate};
use serde_json::{Map, Value};

use super::{access_token::Audience, client_assertion::registered_keys, parameters::Parameters};
use crate::{App, store::clients::Client};

/// RFC 9101 §10.8: said of a request object, if it says anything.
const TYPES: [&str; 2] = ["oauth-authz-req+jwt", "jwt"];
/// About the object itself; everything else in it is a parameter (RFC 9101 §4).
const ABOUT_IT: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];
/// How far the client's clock may be ahead of ours.
const LEEWAY: TimeDelta = TimeDelta::seconds(5);

/// The parameters that `request` holds, when `client` has signed them. Nothing that was sent beside it counts
/// (§6.3). `Err` says why it is an `invalid_request_object`.
pub async fn open(app: &App, client: &Client, request: &str) -> Result<Parameters, &'static str> {
    let jws = Jws::parse(request)?;
    if jws.header.typ.as_deref().is_some_and(|typ| !TYPES.contains(&jws::media_type(typ).as_str())) {
        return Err("its typ is another");
    }
    if !client.accepts_alg(&jws.header.alg) {
        return Err("its alg is not one of the client's profile");
    }
    let keys = registered_keys(app, client, jws.header.kid.as_deref()).await?;
    let claims: Map<String, Value> = jws.verify(&keys)?;
    judge(app, client, &claims)?;

    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in claims.iter().filter(|(name, _)| !ABOUT_IT.contains(&name.as_str())) {
        match value {
            Value::String(text) => drop(encoded.append_pair(name, text)),
            Value::Number(number) => drop(encoded.append_pair(name, &number.to_string())),
            // `claims` (OpenID Connect Core §6.1).
            Value::Object(_) => drop(encoded.append_pair(name, &value.to_string())),
            // `resource` may be there several times (RFC 8707 §2).
            Value::Array(several) => {
                for one in several {
                    encoded.append_pair(name, one.as_str().ok_or("a list in it holds more than texts")?);
                }
            }
            Value::Bool(_) | Value::Null => return Err("a parameter in it is neither text nor number"),
        }
    }
    Ok(Parameters::parse(encoded.finish().as_bytes()))
}

fn judge(app: &App, client: &Client, claims: &Map<String, Value>) -> Result<(), &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // §4: so that it is no assertion or token of the client's that was meant for something else.
    if text("client_id") != Some(&client.id.0) || text("iss").is_some_and(|iss| iss != client.id.0) {
        return Err("it is another client's");
    }
    if claims.contains_key("sub") {
        return Err("it could be a client assertion: it has a sub (§10.8)");
    }
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err("it holds another request object");
    }
    let audience = claims.get("aud").map(|aud| serde_json::from_value::<Audience>(aud.clone()));
    if !audience.is_none_or(|audience| audience.is_ok_and(|audience| audience.has(&app.config.issuer))) {
        return Err("it is meant for another server");
    }
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            let date = serde_json::from_value::<NumericDate>(value.clone()).ok();
            date.and_then(|date| date.time()).map(Some).ok_or("a time in it is no number of seconds")
        }
    };
    let now = app.clock.now();
    if time("exp")?.is_some_and(|exp| exp <= now) {
        return Err("it has expired");
    }
    let latest = now + LEEWAY;
    if time("nbf")?.is_some_and(|nbf| nbf > latest) || time("iat")?.is_some_and(|iat| iat > latest) {
        return Err("it is of the future");
    }
    Ok(())
}
