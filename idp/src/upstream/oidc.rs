//! OpenID providers: the ID token says who logged in (Core §3.1.3), the UserInfo endpoint what it leaves out (§5.3).

use platform::secret::ExposeSecret;
use serde_json::{Map, Value};

use super::{Failure, Person, Proof, Provider, Tokens, id_token, metadata::Metadata};
use crate::{App, oauth2::scope, store::upstream_sign_ins::UpstreamSignIn};

pub async fn prove(
    app: &App,
    provider: &Provider,
    metadata: &Metadata,
    tokens: Tokens,
    sign_in: &UpstreamSignIn,
) -> Result<Proof, Failure> {
    let id_token = tokens.id_token.ok_or(Failure::Broken("there is no ID token"))?;
    let claims = id_token::verify(app, provider, metadata, &id_token, sign_in).await?;
    let auth_time = claims.auth_time_before(sign_in);
    let person = Person::of(&claims.more);
    Ok(Proof { subject: claims.sub, auth_time, access_token: tokens.access_token, person })
}

/// Asks once more when the ID token names no address, and the provider was asked for one.
pub async fn person(
    app: &App,
    provider: &Provider,
    metadata: &Metadata,
    proof: Proof,
) -> Result<Person, Failure> {
    let Some(uri) = &metadata.userinfo_endpoint else { return Ok(proof.person) };
    if proof.person.email.is_some() || !scope::has(provider.settings.scope(), "email") {
        return Ok(proof.person);
    }
    let document = app.outbound.get_as(uri, proof.access_token.expose_secret()).await?;
    let claims: Map<String, Value> =
        serde_json::from_slice(&document).map_err(|_| Failure::Broken("its userinfo is no JSON object"))?;
    // Core §5.3.2.
    if claims.get("sub").and_then(Value::as_str) != Some(&proof.subject) {
        return Err(Failure::Broken("its userinfo is about somebody else"));
    }
    let said = Person::of(&claims);
    let name = if said.name.is_empty() { proof.person.name } else { said.name };
    Ok(Person { name, ..said })
}
