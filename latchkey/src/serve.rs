//! Binding, starting, saying where everything is, and stopping.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
    time::Duration,
};

use axum::Router;
use platform::{
    clock::Clock,
    secret::ExposeSecret,
    server::{self, Shutdown},
    tls::Tls,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Failure,
    config::{self, Config},
    say,
};

/// Requests have 8 seconds to end (see [`server::serve`]); what is not done by then will not be.
const LAST_CALL: Duration = Duration::from_millis(9500);

/// The three services in this process.
pub(crate) async fn all(mut config: Config) -> Result<(), Failure> {
    let mut running = Running::new(&config)?;
    let idp_listeners = bind("idp", &config.idp.listen)?;
    let api_listeners = bind("api", &config.api.listen)?;
    let web_listeners = bind("web", &config.web.listen)?;
    config::register_web(&mut config)?;

    let Config { idp, api, web, .. } = config.clone();
    let (idp, api, web) = tokio::try_join!(
        async { idp::start(idp, Clock::System, &running.shutdown).await.map_err(Failure::from) },
        async { api::start(api, Clock::System, &running.shutdown).await.map_err(Failure::from) },
        async { web::start(web, Clock::System, &running.shutdown).await.map_err(Failure::from) },
    )?;
    running.serve(idp_listeners, &idp, config.idp.tls.as_ref())?;
    running.serve(api_listeners, &api, config.api.tls.as_ref())?;
    running.serve(web_listeners, &web, config.web.tls.as_ref())?;

    let Config { idp, api, web, .. } = &config;
    say(format_args!(
        "Latchkey is running.\n\n  \
           Web UI             {}\n  \
           Identity provider  {}\n  \
           Task API           {}  (documentation: {}/docs)\n",
        web.public_url, idp.issuer, api.public_url, api.public_url
    ))?;
    say(format_args!(
        "  Data  {}\n  Keys  {}\n",
        places(&[&idp.database_url, &api.database_url, web.database_url.expose_secret()]),
        absolute(&idp.keys_dir),
    ))?;
    say(format_args!(
        "Open {} and sign up. To connect an app of your own: latchkey client add --help\n\
         Ctrl-C stops it.",
        web.public_url
    ))?;
    running.until_stopped().await
}

/// The identity provider alone.
pub(crate) async fn idp(mut config: Config) -> Result<(), Failure> {
    let mut running = Running::new(&config)?;
    let listeners = bind("idp", &config.idp.listen)?;
    // As in one process: another node may run all three on this database.
    config::register_web(&mut config)?;
    let router = idp::start(config.idp.clone(), Clock::System, &running.shutdown).await?;
    running.serve(listeners, &router, config.idp.tls.as_ref())?;
    say(format_args!("The identity provider is running at {}.\n", config.idp.issuer))?;
    say(format_args!("  Data  {}", places(&[&config.idp.database_url])))?;
    say(format_args!("  Keys  {}", absolute(&config.idp.keys_dir)))?;
    running.until_stopped().await
}

/// The task API alone.
pub(crate) async fn api(config: Config) -> Result<(), Failure> {
    let mut running = Running::new(&config)?;
    let listeners = bind("api", &config.api.listen)?;
    let router = api::start(config.api.clone(), Clock::System, &running.shutdown).await?;
    running.serve(listeners, &router, config.api.tls.as_ref())?;
    say(format_args!("The task API is running at {0} (documentation: {0}/docs).\n", config.api.public_url))?;
    say(format_args!(
        "  Trusts  {}, for tokens with the audience {}",
        config.api.issuer,
        config.api.audience()
    ))?;
    say(format_args!("  Data    {}", places(&[&config.api.database_url])))?;
    running.until_stopped().await
}

/// The task web UI alone.
pub(crate) async fn web(config: Config) -> Result<(), Failure> {
    let mut running = Running::new(&config)?;
    let listeners = bind("web", &config.web.listen)?;
    let router = web::start(config.web.clone(), Clock::System, &running.shutdown).await?;
    running.serve(listeners, &router, config.web.tls.as_ref())?;
    say(format_args!("The task web UI is running at {}.\n", config.web.public_url))?;
    say(format_args!("  Signs in with  {}", config.web.issuer))?;
    say(format_args!("  Task API       {}", config.web.api_url))?;
    say(format_args!("  Data           {}", places(&[config.web.database_url.expose_secret()])))?;
    running.until_stopped().await
}

/// What runs, and the signals that end it.
struct Running {
    shutdown: Shutdown,
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Running {
    fn new(config: &Config) -> Result<Self, Failure> {
        platform::telemetry::start(&config.log.filter).map_err(Failure::new)?;
        Ok(Self {
            shutdown: Shutdown::default(),
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    fn serve(
        &mut self,
        listeners: Vec<TcpListener>,
        router: &Router,
        tls: Option<&Tls>,
    ) -> Result<(), Failure> {
        Ok(server::serve(listeners, router, tls, &self.shutdown)?)
    }

    /// Waits for Ctrl-C or SIGTERM, then lets everything end. A second Ctrl-C does not wait.
    async fn until_stopped(mut self) -> Result<(), Failure> {
        self.signalled().await;
        tracing::info!("stopping: requests that are under way may end");
        self.shutdown.token.cancel();
        self.shutdown.tasks.close();
        let tasks = self.shutdown.tasks.clone();
        tokio::select! {
            () = tasks.wait() => tracing::info!("stopped"),
            () = tokio::time::sleep(LAST_CALL) => tracing::warn!("stopped, although not everything had ended"),
            () = self.signalled() => tracing::warn!("stopped at once"),
        }
        Ok(())
    }

    async fn signalled(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Every address, before anything else is done: a taken port must not leave half a system behind.
fn bind(service: &str, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for address in addresses {
        match server::bind(*address) {
            Ok(listener) => listeners.push(listener),
            Err(_) if address.ip() == IpAddr::V6(Ipv6Addr::LOCALHOST) && !has_ipv6() => {
                tracing::debug!(%address, "this machine has no IPv6");
            }
            Err(error) => return Err(Failure::new(explain(service, &error))),
        }
    }
    if listeners.is_empty() {
        return Err(Failure::new(format!("{service}: there is no address to listen on")));
    }
    Ok(listeners)
}

fn explain(service: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("{service}: {error}; stop it, or set {service}.listen"),
        _ => format!("{service}: {error}"),
    }
}

fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// The databases: files with their whole path, servers without user and password.
fn places(urls: &[&str]) -> String {
    let mut places: Vec<String> = urls.iter().map(|url| place(url)).collect();
    places.dedup();
    places.join("\n        ")
}

fn place(url: &str) -> String {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return absolute(Path::new(path.strip_prefix("//").unwrap_or(path)));
    }
    match url::Url::parse(url) {
        Ok(url) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("PostgreSQL at {}{port}{}", url.host_str().unwrap_or("its socket"), url.path())
        }
        Err(_) => "PostgreSQL".to_owned(),
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
