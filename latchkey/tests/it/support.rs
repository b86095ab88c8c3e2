//! Starting, talking to, and stopping `latchkey`.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::testing::{TestDb, postgres};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A directory, three ports and three databases: where one Latchkey lives, started or not.
pub struct Place {
    pub dir: TempDir,
    pub idp: String,
    pub api: String,
    pub web: String,
    environment: Vec<(String, String)>,
    _databases: Vec<TestDb>,
}

impl Place {
    /// As a newcomer has it: SQLite files under the working directory.
    pub fn new() -> Self {
        let [idp, api, web] = [(); 3].map(|()| format!("http://localhost:{}", free_port()));
        let environment = [("IDP__ISSUER", &idp), ("API__PUBLIC_URL", &api), ("WEB__PUBLIC_URL", &web)]
            .map(|(name, url)| (format!("LATCHKEY_{name}"), url.clone()));
        let dir = tempfile::tempdir().unwrap();
        Self { dir, idp, api, web, environment: environment.to_vec(), _databases: Vec::new() }
    }

    /// On the kind of database that a test was given.
    pub async fn on(db: TestDb) -> Self {
        let mut place = Self::new();
        if db.url.starts_with("postgres") {
            // Each service has a database of its own; here, a schema of its own.
            let databases = [db, postgres().await.unwrap(), postgres().await.unwrap()];
            for (section, database) in ["IDP", "API", "WEB"].into_iter().zip(&databases) {
                place.set(&format!("{section}__DATABASE_URL"), &database.url);
            }
            place._databases = databases.into();
        }
        place
    }

    /// Sets `LATCHKEY_<name>`.
    pub fn set(&mut self, name: &str, value: &str) {
        let name = format!("LATCHKEY_{name}");
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value.to_owned()));
    }

    /// `latchkey` with these arguments, not yet run.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LATCHKEY_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs a command of the operator to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with_input(args, "")
    }

    pub fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        let file = self.dir.path().join("stdin");
        std::fs::write(&file, input).unwrap();
        let stdin = std::fs::File::open(&file).unwrap();
        Ran::of(self.command(args).stdin(stdin).output().unwrap())
    }

    /// Starts all three services and waits until they are ready.
    pub async fn start(&self) -> Node {
        let node = self.spawn(&[]);
        for url in [&self.idp, &self.api, &self.web] {
            node.wait_until_ready(url).await;
        }
        node
    }

    /// Starts one service.
    pub fn spawn(&self, args: &[&str]) -> Node {
        let log = self.log_file();
        let file = std::fs::File::create(&log).unwrap();
        self.spawn_to(args, log, file)
    }

    /// Starts everything, with standard error going there.
    pub fn spawn_with_log(&self, stderr: std::fs::File) -> Node {
        self.spawn_to(&[], self.log_file(), stderr)
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join(format!("log-{}", free_port()))
    }

    fn spawn_to(&self, args: &[&str], log: PathBuf, stderr: std::fs::File) -> Node {
        let stdout = log.with_extension("out");
        let mut command = self.command(args);
        command.stdout(std::fs::File::create(&stdout).unwrap()).stderr(stderr);
        Node { process: command.spawn().unwrap(), stdout, log }
    }

    /// Registers a client that gets tokens for the task API by itself, and returns its secret.
    pub fn add_machine(&self, id: &str) -> String {
        let ran =
            self.run(&["client", "add", id, "--grant-type", "client_credentials", "--scope", SCOPE]).good();
        ran.value("client_secret")
    }

    /// An access token for the task API, by `client_credentials`.
    pub async fn token(&self, id: &str, secret: &str) -> String {
        token(&self.idp, id, secret).await
    }
}

pub const SCOPE: &str = "tasks:read tasks:write";

pub async fn token(idp: &str, id: &str, secret: &str) -> String {
    let form = [("grant_type", "client_credentials"), ("scope", SCOPE)];
    let response = http().post(format!("{idp}/token")).basic_auth(id, Some(secret)).form(&form);
    let response = response.send().await.unwrap();
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    body["access_token"].as_str().unwrap_or_else(|| panic!("{status}: {body}")).to_owned()
}

/// A client with few connections and no memory of redirects.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().unwrap()
}

/// What a JWT says; nothing is verified. `part` 0 is the header, 1 the claims.
pub fn decode(jwt: &str, part: usize) -> Value {
    let part = jwt.split('.').nth(part).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// How a command ended.
pub struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn good(self) -> Self {
        assert!(self.status.success(), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Status 1, nothing on standard output, and sentences on standard error (among lines of the log).
    #[track_caller]
    pub fn failure(self) -> Vec<String> {
        assert_eq!(self.status.code(), Some(1), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        let lines = self.stderr.lines().filter(|line| !line.starts_with('{')).map(|line| {
            line.strip_prefix("latchkey: ").unwrap_or_else(|| panic!("{}", self.stderr)).to_owned()
        });
        lines.collect()
    }

    /// What follows a name at the beginning of a line.
    #[track_caller]
    pub fn value(&self, name: &str) -> String {
        let line = self.stdout.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.stdout))
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    }
}

/// A running `latchkey`; killed when dropped.
pub struct Node {
    process: Child,
    stdout: PathBuf,
    log: PathBuf,
}

impl Node {
    pub async fn wait_until_ready(&self, url: &str) {
        let started = Instant::now();
        let http = http();
        let ready = async || match http.get(format!("{url}/health/ready")).send().await {
            Ok(response) => response.status() == 200,
            Err(_) => false,
        };
        while !ready().await {
            assert!(started.elapsed() < PATIENCE, "{url} is not ready\n{}{}", self.output(), self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it printed for people, as soon as that includes `text`.
    pub async fn wait_for_output(&self, text: &str) -> String {
        let started = Instant::now();
        while !self.output().contains(text) {
            assert!(started.elapsed() < PATIENCE, "no {text:?} in {}", self.output());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.output()
    }

    pub fn output(&self) -> String {
        read(&self.stdout)
    }

    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Sends a signal such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for the end, and says how long it took.
    pub async fn ended(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status, started.elapsed());
            }
            assert!(started.elapsed() < PATIENCE, "still running\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGTERM, as a service manager sends it.
    pub async fn stop(mut self) {
        self.signal("TERM");
        let (status, _) = self.ended().await;
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// SIGKILL, as a power cut does.
    pub async fn kill(mut self) {
        self.signal("KILL");
        self.ended().await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A port that nobody listens on. Below those that outgoing connections get, which could take it before we do.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    let start = (std::process::id() % 600) as u16 * 20;
    loop {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST + offset;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && (TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok() || !has_ipv6());
        if free {
            return port;
        }
    }
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}
