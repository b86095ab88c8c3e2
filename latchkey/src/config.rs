//! The whole configuration: read, completed so that one address is enough, and checked.

use std::path::Path;

use platform::config::{Mistakes, Settings, Variables, is_loopback, loopback};
use serde::Deserialize;
use url::Url;

use crate::{
    Failure,
    cli::{Cli, Command},
};

const FILE: &str = "latchkey.toml";
const VARIABLES: Variables = Variables { prefix: "LATCHKEY_", sections: &["idp", "api", "web", "log"] };

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) idp: idp::Config,
    pub(crate) api: api::Config,
    pub(crate) web: web::Config,
    pub(crate) log: Log,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// What is logged, as in `RUST_LOG`: `info`, `warn,idp=debug`.
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into() }
    }
}

/// A configuration and all that is wrong with it.
#[derive(Debug)]
pub(crate) struct Loaded {
    config: Config,
    mistakes: Mistakes,
}

impl Loaded {
    /// The configuration, if nothing is wrong with it.
    pub(crate) fn into_checked(self) -> Result<Config, Failure> {
        if self.mistakes.0.is_empty() { Ok(self.config) } else { Err(Failure::new(self.mistakes)) }
    }
}

/// Reads the file, the environment and the flags, and checks every section that the command needs.
pub(crate) fn load(cli: &Cli) -> Loaded {
    let mut mistakes = Mistakes::default();
    let default = Path::new(FILE);
    let file = cli.config.as_deref().or_else(|| default.exists().then_some(default));
    let environment = std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    let mut settings = Settings::read(file, environment, VARIABLES, &mut mistakes);
    set_flags(&mut settings, cli.command.as_ref());
    let followed = complete(&mut settings);

    let mut config: Config = settings.extract(&mut mistakes);
    let everything = matches!(cli.command, None | Some(Command::Config(_)));
    if everything || !matches!(cli.command, Some(Command::Api(_) | Command::Web(_))) {
        config.idp.check(&mut mistakes);
    }
    if everything || matches!(cli.command, Some(Command::Api(_))) {
        config.api.check(&mut mistakes);
    }
    if everything || matches!(cli.command, Some(Command::Web(_))) {
        config.web.check(&mut mistakes);
    }
    if let Err(reason) = platform::telemetry::check(&config.log.filter) {
        mistakes.add("log.filter", reason);
    }
    // A wrong address is one mistake, wherever else it holds.
    let wrong: Vec<String> = mistakes.0.iter().map(|mistake| mistake.key.clone()).collect();
    mistakes.0.retain(|mistake| {
        !followed.iter().any(|(key, leader)| *key == mistake.key && wrong.iter().any(|wrong| wrong == leader))
    });
    if everything && registers_web(&config) && config.api.audience() != config.web.api_url {
        let message = format!(
            "the web UI gets tokens for {}, but api.audience is {}; let them be the same",
            config.web.api_url,
            config.api.audience()
        );
        mistakes.add("web.api_url", message);
    }
    if everything {
        check_addresses(&config, &mut mistakes);
    }
    register_api(&mut config);
    Loaded { config, mistakes }
}

/// One process cannot listen twice in one place.
fn check_addresses(config: &Config, mistakes: &mut Mistakes) {
    let Config { idp, api, web, .. } = config;
    let listeners = [("idp", &idp.listen), ("api", &api.listen), ("web", &web.listen)];
    for (index, (service, addresses)) in listeners.iter().enumerate() {
        let others = listeners.iter().take(index);
        if let Some((other, _)) =
            others.clone().find(|(_, taken)| taken.iter().any(|one| addresses.contains(one)))
        {
            mistakes.add(format!("{service}.listen"), format!("is an address of {other}.listen, too"));
        }
    }
}

fn set_flags(settings: &mut Settings, command: Option<&Command>) {
    let (section, listen, texts) = match command {
        Some(Command::Idp(flags)) => (
            "idp",
            &flags.listen,
            vec![
                ("issuer", &flags.issuer),
                ("database_url", &flags.database_url),
                ("keys_dir", &flags.keys_dir),
            ],
        ),
        Some(Command::Api(flags)) => (
            "api",
            &flags.listen,
            vec![
                ("issuer", &flags.issuer),
                ("audience", &flags.audience),
                ("jwks_uri", &flags.jwks_uri),
                ("public_url", &flags.public_url),
                ("database_url", &flags.database_url),
            ],
        ),
        Some(Command::Web(flags)) => (
            "web",
            &flags.listen,
            vec![
                ("issuer", &flags.issuer),
                ("api_url", &flags.api_url),
                ("public_url", &flags.public_url),
                ("client_id", &flags.client_id),
                ("client_secret_file", &flags.client_secret_file),
                ("database_url", &flags.database_url),
            ],
        ),
        _ => return,
    };
    for (key, text) in texts {
        if let Some(text) = text {
            settings.set(&format!("{section}.{key}"), text.as_str());
        }
    }
    if !listen.is_empty() {
        let addresses: Vec<String> = listen.iter().map(ToString::to_string).collect();
        settings.set(&format!("{section}.listen"), addresses);
    }
}

/// What was said of one service holds for the others, unless they say otherwise. Returns which key follows which.
fn complete(settings: &mut Settings) -> Vec<(&'static str, &'static str)> {
    let followers = [
        ("api.issuer", "idp.issuer"),
        ("web.issuer", "idp.issuer"),
        ("web.api_url", "api.public_url"),
        ("web.look.logo", "idp.look.logo"),
        ("web.look.accent", "idp.look.accent"),
        ("api.allowed_origins", "web.public_url"),
    ];
    for (key, leader) in followers {
        match settings.text(leader) {
            Some(origin) if key == "api.allowed_origins" => settings.default_to(key, vec![origin]),
            Some(url) => settings.default_to(key, url),
            None => {}
        }
    }
    for (key, url) in
        [("idp.listen", "idp.issuer"), ("api.listen", "api.public_url"), ("web.listen", "web.public_url")]
    {
        let port = settings.text(url).and_then(|url| Url::parse(&url).ok()).and_then(|url| own_port(&url));
        if let Some(port) = port {
            let addresses: Vec<String> = loopback(port).iter().map(ToString::to_string).collect();
            settings.default_to(key, addresses);
        }
    }
    followers.to_vec()
}

/// The port of an address that can only be this machine itself; anything else has a proxy in front.
fn own_port(url: &Url) -> Option<u16> {
    (url.scheme() == "http" && is_loopback(url)).then(|| url.port_or_known_default()).flatten()
}

/// Tokens for the task API can be asked for wherever the identity provider knows of that API.
fn register_api(config: &mut Config) {
    let identifier = config.api.audience();
    if config.api.issuer == config.idp.issuer
        && !config.idp.resources.iter().any(|resource| resource.identifier == identifier)
    {
        let scopes = ["tasks:read", "tasks:write"].map(str::to_owned).to_vec();
        config.idp.resources.push(idp::config::Resource {
            identifier: identifier.to_owned(),
            scopes,
            access_token_lifetime: None,
        });
    }
}

/// The scopes of the web UI: who somebody is, and their tasks.
const WEB_SCOPE: &str = "openid profile email tasks:read tasks:write";

/// Whether the web UI will be made a client of the identity provider in the same process: nobody has said how else.
fn registers_web(Config { idp, web, .. }: &Config) -> bool {
    web.issuer == idp.issuer
        && web.client_secret.is_none()
        && web.client_secret_file.is_none()
        && !idp.clients.iter().any(|client| client.client_id == web.client_id)
}

/// In one process the web UI is a client of the identity provider without anybody registering it. Its
/// secret comes from the key ring, so that it need not be written down.
pub(crate) fn register_web(config: &mut Config) -> Result<(), Failure> {
    if !registers_web(config) {
        return Ok(());
    }
    let Config { idp, web, .. } = config;
    let backchannel_logout_uri = format!("{}/backchannel-logout", web.public_url);
    // Whether or not this machine may be asked by anybody else's wish.
    idp.outbound.own.push(backchannel_logout_uri.clone());
    let secret = idp::web_client_secret(idp)?;
    idp.clients.push(idp::config::ClientConfig {
        client_id: web.client_id.clone(),
        name: web.name.clone(),
        client_secret: Some(secret.clone()),
        redirect_uris: vec![format!("{}/callback", web.public_url)],
        post_logout_redirect_uris: vec![format!("{}/", web.public_url)],
        backchannel_logout_uri: Some(backchannel_logout_uri),
        initiate_login_uri: Some(format!("{}/login", web.public_url)),
        scope: Some(WEB_SCOPE.to_owned()),
        audience: web.api_url.clone(),
        first_party: true,
        require_pkce: Some(true),
        ..Default::default()
    });
    web.client_secret = Some(secret);
    Ok(())
}
