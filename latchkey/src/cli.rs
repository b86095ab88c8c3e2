//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::{Args, Parser, Subcommand};
use idp::{audit::Mark, keys::Algorithm, store::clients::Profile};

/// A self-hosted identity provider, with a task API and a task web UI that use it.
///
/// Without a command all three run in this process: the identity provider on port 9000, the API on
/// 8000, the web UI on 3000 of this machine.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Cli {
    /// The configuration file; without this, latchkey.toml if it is there.
    #[arg(long, value_name = "FILE", env = "LATCHKEY_CONFIG", global = true)]
    pub(crate) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the identity provider alone.
    Idp(IdpFlags),
    /// Run the task API alone, trusting any OpenID provider.
    Api(ApiFlags),
    /// Run the task web UI alone.
    Web(WebFlags),
    /// Show or replace the keys that sign tokens.
    #[command(subcommand)]
    Keys(KeysAction),
    /// People's accounts.
    #[command(subcommand)]
    User(UserAction),
    /// The apps that may ask for tokens.
    #[command(subcommand)]
    Client(ClientAction),
    /// What happened: who logged in, what was changed, and by whom.
    #[command(subcommand)]
    Audit(AuditAction),
    /// Say why a request was refused, and what to do.
    Explain {
        /// What the person was shown as the reference, or the app as X-Request-Id.
        reference: String,
    },
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigAction),
}

#[derive(Debug, Args)]
pub(crate) struct IdpFlags {
    /// Its public address, which is also the issuer identifier.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// An address to listen on; may be given several times.
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// sqlite:<path> or postgres://…
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// The directory of the key ring.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) keys_dir: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ApiFlags {
    /// The OpenID provider whose tokens are accepted.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// What tokens must name as their audience; the public address if absent.
    #[arg(long)]
    pub(crate) audience: Option<String>,
    /// Where the issuer's keys are, if its metadata shall not be asked.
    #[arg(long, value_name = "URL")]
    pub(crate) jwks_uri: Option<String>,
    /// Its public address.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// An address to listen on; may be given several times.
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// sqlite:<path> or postgres://…
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WebFlags {
    /// The OpenID provider that people sign in with.
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The task API.
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// Its public address.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    #[arg(long)]
    pub(crate) client_id: Option<String>,
    /// The file that holds the client's secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<String>,
    /// An address to listen on; may be given several times.
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// sqlite:<path> or postgres://…
    #[arg(long, value_name = "URL")]
    pub(crate) database_url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Show the keys, newest first.
    List,
    /// Add a key. It signs once everybody had time to fetch it; keys that are no longer needed go.
    Rotate {
        /// The current key is compromised: a new one signs at once, and the others are no longer trusted.
        #[arg(long)]
        now: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Make an account. The password is asked for, or read from standard input.
    Add {
        email: String,
        /// What they are called.
        #[arg(long)]
        name: String,
    },
    /// Show every account.
    List,
    /// Let nobody in with this account any more, from now on and everywhere.
    Disable { email: String },
    /// Let a disabled account in again, or one that is to be deleted.
    Enable { email: String },
    /// Delete an account, as its owner could: nobody is let in any more, and after idp.deletion_grace nothing is left
    /// of it. Until then its owner can log in to keep it, unless it is disabled.
    Delete {
        email: String,
        /// At once, and for good.
        #[arg(long)]
        now: bool,
    },
    /// Take back what somebody allowed an app: it is asked for again, and what the app holds is good for nothing.
    Disconnect { email: String, client_id: String },
    /// Say something about somebody that apps may ask for: given_name, phone_number, address.locality and so on.
    Set {
        email: String,
        /// A claim of OpenID Connect Core §5.1.
        claim: String,
        /// Without one the claim is removed.
        value: Option<String>,
    },
    /// Replace a password and end every session. It is asked for, or read from standard input.
    SetPassword { email: String },
    /// For who has lost them: remove their second factors and end every session. Where a second factor is demanded
    /// they set up another one when they log in.
    ResetSecondFactors { email: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClientAction {
    /// Register an app. Its secret is printed once.
    Add(Box<NewClient>),
    /// Make a token with which an app can register itself (RFC 7591). It is printed once.
    RegistrationToken {
        /// How many apps it is for.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        uses: u32,
        /// For how long: 30m, 12h, 7d.
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = time)]
        expires: TimeDelta,
    },
    /// Show every app.
    List,
    /// Show everything about an app.
    Show { client_id: String },
    /// Let an app do nothing any more, whoever it is known from: what it was given ends, and stays ended.
    Disable { client_id: String },
    /// Let a disabled app in again.
    Enable { client_id: String },
    /// Remove an app, and with it everything it was given.
    Remove { client_id: String },
}

#[derive(Debug, Args)]
pub(crate) struct NewClient {
    pub(crate) client_id: String,
    /// What people are told who asks for their consent; the id if absent.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where people are sent back to, exactly; may be given several times.
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub(crate) redirect_uris: Vec<String>,
    /// Where people may be sent after logging out; may be given several times.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    pub(crate) post_logout_redirect_uris: Vec<String>,
    /// Where it is told that a session has ended (OpenID Connect Back-Channel Logout).
    #[arg(long, value_name = "URI")]
    pub(crate) backchannel_logout_uri: Option<String>,
    /// Where a log-in can begin that others ask for: people find it on their account page.
    #[arg(long, value_name = "URI")]
    pub(crate) initiate_login_uri: Option<String>,
    /// What it may ask for, separated by spaces.
    #[arg(long, value_name = "SCOPES")]
    pub(crate) scope: Option<String>,
    /// authorization_code, refresh_token, client_credentials, or the name of another one (urn:…); may be given several times.
    #[arg(long = "grant-type", value_name = "GRANT")]
    pub(crate) grant_types: Vec<String>,
    /// The API that its tokens are for, if it does not say; the task API if absent.
    #[arg(long, value_name = "URI")]
    pub(crate) audience: Option<String>,
    /// It cannot keep a secret (it runs in a browser or on people's devices): PKCE proves it instead.
    #[arg(long)]
    pub(crate) public: bool,
    /// Its public keys, a JWK Set: it signs who it is (private_key_jwt) and has no secret.
    #[arg(long, value_name = "FILE", conflicts_with = "public")]
    pub(crate) jwks_file: Option<std::path::PathBuf>,
    /// Which rules it is held to: oidc, oauth21 or fapi2.
    #[arg(long, value_parser = profile)]
    pub(crate) profile: Option<Profile>,
    /// What its ID tokens are signed with: RS256, PS256, ES256 or EdDSA.
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    pub(crate) id_token_signed_response_alg: Option<Algorithm>,
    /// Where it publishes them, instead: they are fetched when they are needed, and it can replace them.
    #[arg(long, value_name = "URI", conflicts_with_all = ["public", "jwks_file"])]
    pub(crate) jwks_uri: Option<String>,
    /// It is yours: people are not asked for consent.
    #[arg(long)]
    pub(crate) first_party: bool,
    /// It has to sign its authorization requests (RFC 9101).
    #[arg(long)]
    pub(crate) require_signed_request_object: bool,
    /// Its access tokens are bound to a key (RFC 9449).
    #[arg(long)]
    pub(crate) dpop_bound_access_tokens: bool,
    /// It has to push its authorization requests (RFC 9126).
    #[arg(long)]
    pub(crate) require_pushed_authorization_requests: bool,
    /// Nobody gets to it by a password alone: who has no second factor yet is led through setting one up.
    #[arg(long)]
    pub(crate) require_second_factor: bool,
}

fn profile(text: &str) -> Result<Profile, String> {
    Profile::try_from(text.to_owned()).map_err(|_| "must be oidc, oauth21 or fapi2".to_owned())
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::try_from(text.to_owned()).map_err(|_| "must be RS256, PS256, ES256 or EdDSA".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditAction {
    /// Show events, newest first.
    List {
        /// Of one person: an e-mail address, or the id of an account.
        #[arg(long, value_name = "EMAIL")]
        user: Option<String>,
        /// Of one kind, by its name in `audit export`: logged_in, log_in_failed, client_added and so on.
        #[arg(long, value_name = "NAME")]
        event: Option<String>,
        /// Not older: 30m, 12h, 7d, or 2026-03-14, or 2026-03-14T15:09:26Z.
        #[arg(long, value_name = "TIME", value_parser = since)]
        since: Option<Since>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Say whether every event is there as it was written; if not, which is the first that is not.
    Verify {
        /// What an earlier `audit verify` has printed: that event must still be there, as it was then.
        #[arg(long, value_name = "MARK")]
        kept: Option<Mark>,
    },
    /// Print everything, oldest first, one JSON object a line.
    Export,
}

/// A moment, or how long ago it was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Since {
    Ago(TimeDelta),
    At(DateTime<Utc>),
}

fn since(text: &str) -> Result<Since, &'static str> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(Since::At(at.to_utc()));
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(Since::At(day.and_time(NaiveTime::MIN).and_utc()));
    }
    time(text).map(Since::Ago).map_err(|_| "must be like 7d, 2026-03-14 or 2026-03-14T15:09:26Z")
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Say everything that is wrong with the configuration.
    Check,
}

/// `30m`, `12h`, `7d`: at most ten years.
fn time(text: &str) -> Result<TimeDelta, &'static str> {
    const WRONG: &str = "a number and its unit: s, m, h or d";
    let unit = text.chars().last().ok_or(WRONG)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        _ => return Err(WRONG),
    };
    let number: u32 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or(WRONG)?;
    let seconds = i64::from(number) * seconds;
    if seconds == 0 || seconds > 3650 * 86400 {
        return Err("must be more than nothing and less than ten years");
    }
    Ok(TimeDelta::seconds(seconds))
}
