//! GitHub: OAuth 2.0, and an API that says whose token it is. Accounts are known by a number that stays when they
//! are renamed.

use platform::secret::ExposeSecret;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Failure, Person, Proof, Provider, Tokens, metadata::Metadata, shown};
use crate::{App, email::Email, oauth2::scope};

/// `GET /user`
#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

/// `GET /user/emails`
#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

pub async fn prove(app: &App, metadata: &Metadata, tokens: Tokens) -> Result<Proof, Failure> {
    let user: User = ask(app, metadata, "", tokens.access_token.expose_secret()).await?;
    let name = shown(&user.name.unwrap_or(user.login));
    let person = Person { name, ..Person::default() };
    Ok(Proof { subject: user.id.to_string(), auth_time: None, access_token: tokens.access_token, person })
}

/// The address that `/user` shows is what somebody typed: the primary one is what counts.
pub async fn person(
    app: &App,
    provider: &Provider,
    metadata: &Metadata,
    proof: Proof,
) -> Result<Person, Failure> {
    if !scope::has(provider.settings.scope(), "user:email") {
        return Ok(proof.person);
    }
    let addresses: Vec<Address> = ask(app, metadata, "/emails", proof.access_token.expose_secret()).await?;
    let primary = addresses.into_iter().find(|address| address.primary);
    Ok(Person {
        email_verified: primary.as_ref().is_some_and(|address| address.verified),
        email: primary.and_then(|address| Email::parse(&address.email)),
        ..proof.person
    })
}

async fn ask<T: DeserializeOwned>(
    app: &App,
    metadata: &Metadata,
    path: &str,
    access_token: &str,
) -> Result<T, Failure> {
    let user = metadata.userinfo_endpoint.as_deref().unwrap_or_default();
    let document = app.outbound.get_as(&format!("{user}{path}"), access_token).await?;
    serde_json::from_slice(&document).map_err(|_| Failure::Broken("its API says something else"))
}
