//! `latchkey explain`.

use idp::{
    admin::refusals::{self, RegisteredClient},
    store::clients::Listed,
};

use super::open;
use crate::{Failure, say};

/// How wide the names are.
const NAMES: usize = 27;

pub(crate) async fn run(reference: &str, config: &idp::Config) -> Result<(), Failure> {
    let operator = open(config).await?;
    let explained = refusals::explain(&operator, reference).await?;
    line("refused", &explained.at.format("%Y-%m-%d %H:%M:%S UTC").to_string())?;
    line("where", &explained.route)?;
    line("from", &explained.address)?;
    line("error", &explained.error)?;
    line("rule", &explained.rule)?;
    if let Some(user) = &explained.user {
        line("person", user)?;
    }
    if let Some(client) = &explained.client {
        line("client", &client.id)?;
    }
    if !explained.inputs.is_empty() {
        say("\nIt was given")?;
        for (name, value) in &explained.inputs {
            line(&format!("  {name}"), value)?;
        }
    }
    if let Some(client) = explained.client {
        registered(client)?;
    }
    say(format_args!("\n{}", explained.advice))
}

fn registered(RegisteredClient { id, registered }: RegisteredClient) -> Result<(), Failure> {
    let Some(Listed { client, disabled_at }) = registered else {
        return say(format_args!("\n{id} is not registered any more."));
    };
    let state = if disabled_at.is_some() { "disabled" } else { "active" };
    let auth_method = client.token_endpoint_auth_method;
    say(format_args!("\nThe client is registered now, {state}, with"))?;
    line("  token_endpoint_auth_method", &auth_method)?;
    line("  grant_types", &client.grant_types.to_string())?;
    line("  redirect_uris", &client.redirect_uris.to_string())?;
    line("  scope", &client.scope)?;
    line("  audience", &client.audience)
}

fn line(name: &str, value: &str) -> Result<(), Failure> {
    say(format_args!("{name:<NAMES$} {}", if value.is_empty() { "none" } else { value }))
}
