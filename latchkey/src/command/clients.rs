//! `latchkey client add|registration-token|list|show|disable|enable|remove`.

use std::collections::BTreeSet;

use idp::{
    admin::clients,
    config::{ClientConfig, Registration},
    store::{
        ClientId,
        clients::{Client, Listed},
    },
};
use platform::{
    clock::Clock,
    secret::{ExposeSecret, SecretString},
};

use super::{open, table};
use crate::{
    Failure,
    cli::{ClientAction, NewClient},
    config::Config,
    say,
};

pub(crate) async fn run(action: ClientAction, config: Config) -> Result<(), Failure> {
    let operator = open(&config.idp).await?;
    let now = Clock::System.now();
    match action {
        ClientAction::Add(new) => {
            let (id, with_keys) = (new.client_id.clone(), new.jwks_file.is_some() || new.jwks_uri.is_some());
            let confidential = !new.public && !with_keys;
            let secret = clients::add(&operator, described(*new, &config), confidential, now).await?;
            printed(&id, secret.as_ref(), with_keys, &config.idp.issuer)
        }
        ClientAction::RegistrationToken { uses, expires } => {
            let expires_at = now + expires;
            let token = clients::allow_registration(&operator, uses, expires_at, now).await?;
            say(format_args!("initial_access_token   {}", token.expose_secret()))?;
            say(format_args!("registration_endpoint  {}/register", config.idp.issuer))?;
            if config.idp.registration == Registration::Closed {
                say("\nIt is good for nothing while idp.registration is \"closed\".")?;
            }
            let apps = if uses == 1 { "one app".to_owned() } else { format!("{uses} apps") };
            let until = expires_at.format("%Y-%m-%d %H:%M UTC");
            say(format_args!("\nGood for {apps}, until {until}. It is not stored and cannot be shown again."))
        }
        ClientAction::List => {
            let registered = clients::list_registered(&operator).await?;
            let row = |listed: Listed| row(&registered, listed);
            let rows: Vec<[String; 5]> = clients::list(&operator).await?.into_iter().map(row).collect();
            table(["CLIENT ID", "NAME", "GRANTS", "STATE", "FROM"], &rows)
        }
        ClientAction::Show { client_id } => show(clients::find(&operator, &client_id).await?),
        ClientAction::Disable { client_id } => {
            clients::disable(&operator, &client_id, now).await?;
            say(format_args!("{client_id} is shut out, and what it was given is good for nothing more."))
        }
        ClientAction::Enable { client_id } => {
            clients::enable(&operator, &client_id, now).await?;
            say(format_args!("{client_id} can be used again."))
        }
        ClientAction::Remove { client_id } => {
            clients::remove(&operator, &client_id, now).await?;
            say(format_args!("{client_id} is gone, with everything that it was given."))
        }
    }
}

fn described(new: NewClient, config: &Config) -> ClientConfig {
    ClientConfig {
        name: new.name.unwrap_or_else(|| new.client_id.clone()),
        client_id: new.client_id,
        redirect_uris: new.redirect_uris,
        post_logout_redirect_uris: new.post_logout_redirect_uris,
        backchannel_logout_uri: new.backchannel_logout_uri,
        initiate_login_uri: new.initiate_login_uri,
        scope: new.scope,
        grant_types: (!new.grant_types.is_empty()).then_some(new.grant_types),
        audience: new.audience.unwrap_or_else(|| config.api.audience().to_owned()),
        jwks_file: new.jwks_file,
        profile: new.profile,
        id_token_signed_response_alg: new.id_token_signed_response_alg,
        jwks_uri: new.jwks_uri,
        first_party: new.first_party,
        require_pushed_authorization_requests: new.require_pushed_authorization_requests,
        require_signed_request_object: new.require_signed_request_object,
        dpop_bound_access_tokens: new.dpop_bound_access_tokens,
        require_second_factor: new.require_second_factor,
        ..ClientConfig::default()
    }
}

fn printed(id: &str, secret: Option<&SecretString>, with_keys: bool, issuer: &str) -> Result<(), Failure> {
    say(format_args!("issuer         {issuer}"))?;
    say(format_args!("client_id      {id}"))?;
    match secret {
        Some(secret) => {
            say(format_args!("client_secret  {}", secret.expose_secret()))?;
            say("\nKeep the secret now: it is not stored and cannot be shown again.")
        }
        None if with_keys => say("\nThis client signs who it is with its key (private_key_jwt)."),
        None => say("\nThis client has no secret; it proves itself with PKCE (code_challenge_method=S256)."),
    }
}

fn row(registered: &BTreeSet<ClientId>, Listed { client, disabled_at }: Listed) -> [String; 5] {
    let from = match client.declared {
        true => "configuration",
        false if registered.contains(&client.id) => "registration",
        false => "command line",
    };
    let state = if disabled_at.is_some() { "disabled" } else { "active" };
    let grants = client.grant_types.0.join(" ");
    [client.id.to_string(), client.name, grants, state.to_owned(), from.to_owned()]
}

fn show(client: Client) -> Result<(), Failure> {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    let lines = [
        ("client_id", client.id.to_string()),
        ("name", client.name),
        ("token_endpoint_auth_method", client.token_endpoint_auth_method),
        ("profile", client.profile.as_str().to_owned()),
        ("jwks_uri", none(client.jwks_uri.unwrap_or_default())),
        ("grant_types", client.grant_types.to_string()),
        ("redirect_uris", none(client.redirect_uris.to_string())),
        ("post_logout_redirect_uris", none(client.post_logout_redirect_uris.to_string())),
        ("initiate_login_uri", none(client.initiate_login_uri.unwrap_or_default())),
        ("backchannel_logout_uri", none(client.backchannel_logout_uri.unwrap_or_default())),
        ("scope", client.scope),
        ("audience", none(client.audience)),
        ("id_token_signed_response_alg", client.id_token_signed_response_alg.as_str().to_owned()),
        ("first_party", yes(client.first_party)),
        ("require_pkce", yes(client.require_pkce)),
        ("require_pushed_authorization_requests", yes(client.require_pushed_authorization_requests)),
        ("require_signed_request_object", yes(client.require_signed_request_object)),
        ("dpop_bound_access_tokens", yes(client.dpop_bound_access_tokens)),
        ("require_second_factor", yes(client.require_second_factor)),
        ("declared", yes(client.declared)),
    ];
    for (name, value) in lines {
        say(format_args!("{name:<37} {value}"))?;
    }
    Ok(())
}
