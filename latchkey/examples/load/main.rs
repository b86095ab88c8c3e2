//! The load that `wrk` cannot make: people who log in, and browsers that are logged in. For .ci/performance.
//!
//! `load argon2` · `load start <latchkey>` · `load logins <pid> <seconds> [<a second>]` · `load codes <pid> <seconds>`
//!
//! Where and as whom is in the environment: `LOAD_IDP`, `LOAD_CLIENT`, `LOAD_SECRET`, `LOAD_REDIRECT_URI`,
//! `LOAD_PASSWORD`, `LOAD_USERS` (how many there are: `load0@example.com` and so on).

#![allow(clippy::print_stdout, reason = "its output is what the script reads")]

mod browser;

use std::{
    env,
    error::Error,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use browser::Browser;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Like `wrk -c 32`.
const CONNECTIONS: usize = 32;

/// Whom to load, from the environment.
#[derive(Clone)]
struct Target {
    idp: String,
    client: String,
    secret: String,
    redirect_uri: String,
    password: String,
    users: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["argon2"] => argon2(),
        ["start", program] => start(program).await,
        ["logins", pid, seconds] => logins(pid, seconds.parse()?, None).await,
        ["logins", pid, seconds, rate] => logins(pid, seconds.parse()?, Some(rate.parse()?)).await,
        ["codes", pid, seconds] => codes(pid, seconds.parse()?).await,
        _ => Err("see the head of examples/load/main.rs".into()),
    }
}

impl Target {
    fn from_environment() -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            idp: env::var("LOAD_IDP")?,
            client: env::var("LOAD_CLIENT")?,
            secret: env::var("LOAD_SECRET")?,
            redirect_uri: env::var("LOAD_REDIRECT_URI")?,
            password: env::var("LOAD_PASSWORD")?,
            users: env::var("LOAD_USERS")?.parse()?,
        }))
    }
}

/// One argon2id hash with Latchkey's parameters, alone on this core.
fn argon2() -> Result<()> {
    use argon2::{Algorithm, Argon2, Params, Version};
    const ROUNDS: u32 = 100;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, Some(32))?);
    let mut hash = [0; 32];
    argon2.hash_password_into(b"password", b"0123456789abcdef", &mut hash)?;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        argon2.hash_password_into(b"password", b"0123456789abcdef", &mut hash)?;
    }
    println!("ms {:.2}", started.elapsed().as_secs_f64() * 1000.0 / f64::from(ROUNDS));
    Ok(())
}

/// From starting the program until it has issued a token.
async fn start(program: &str) -> Result<()> {
    let target = Target::from_environment()?;
    let http = reqwest::Client::new();
    let started = Instant::now();
    let mut process = Command::new(program).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let form = [("grant_type", "client_credentials")];
    let outcome = loop {
        let request = http.post(format!("{}/token", target.idp)).form(&form);
        match request.basic_auth(&target.client, Some(&target.secret)).send().await {
            Ok(response) if response.status() == 200 => break Ok(started.elapsed()),
            Ok(response) => break Err(response.status().to_string()),
            Err(_) if started.elapsed() > Duration::from_secs(20) => {
                break Err("it does not start".to_owned());
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    let _ = Command::new("kill").arg(process.id().to_string()).status();
    process.wait()?;
    println!("ms {:.1}", outcome?.as_secs_f64() * 1000.0);
    Ok(())
}

/// Password, code, token; each time in a new browser. With a rate, that many begin each second, come what may.
async fn logins(pid: &str, seconds: u64, rate: Option<u32>) -> Result<()> {
    let target = Target::from_environment()?;
    let measured = Measured::begin(pid)?;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let login = |target: Arc<Target>, number: usize, measured: Measured| async move {
        let begun = Instant::now();
        let email = format!("load{}@example.com", number % target.users);
        let mut browser = Browser::new(&target)?;
        let code = browser.log_in(&target, &email).await?;
        browser.redeem(&target, &code).await?;
        measured.done(begun);
        Ok::<(), Box<dyn Error + Send + Sync>>(())
    };
    let mut tasks = tokio::task::JoinSet::new();
    if let Some(rate) = rate {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        for number in 0.. {
            ticks.tick().await;
            if Instant::now() > deadline {
                break;
            }
            // A refused attempt (503) is an answer too.
            let attempt = login(target.clone(), number, measured.clone());
            tasks.spawn(async move { drop(attempt.await) });
        }
        tokio::time::timeout(Duration::from_secs(30), async { while tasks.join_next().await.is_some() {} })
            .await?;
    } else {
        for worker in 0..CONNECTIONS {
            let (target, measured) = (target.clone(), measured.clone());
            tasks.spawn(async move {
                let mut number = worker;
                while Instant::now() < deadline {
                    login(target.clone(), number, measured.clone())
                        .await
                        .unwrap_or_else(|error| stop(&*error));
                    number += CONNECTIONS;
                }
            });
        }
        tasks.join_all().await;
    }
    measured.print()
}

/// A code and a token for somebody whose session lives.
async fn codes(pid: &str, seconds: u64) -> Result<()> {
    let target = Target::from_environment()?;
    let mut browsers = Vec::new();
    for number in 0..CONNECTIONS {
        let mut browser = Browser::new(&target)?;
        browser.log_in(&target, &format!("load{}@example.com", number % target.users)).await?;
        browsers.push(browser);
    }
    let measured = Measured::begin(pid)?;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut workers = tokio::task::JoinSet::new();
    for mut browser in browsers {
        let (target, measured) = (target.clone(), measured.clone());
        workers.spawn(async move {
            while Instant::now() < deadline {
                let begun = Instant::now();
                let step = async {
                    let code = browser.authorize(&target).await?;
                    browser.redeem(&target, &code).await
                };
                step.await.unwrap_or_else(|error| stop(&*error));
                measured.done(begun);
            }
        });
    }
    workers.join_all().await;
    measured.print()
}

/// A figure that was measured while something failed is no figure.
fn stop(error: &(dyn Error + Send + Sync)) {
    println!("failed {error}");
    std::process::exit(1);
}

/// How long each took, and what processor time the server used meanwhile.
#[derive(Clone)]
struct Measured {
    pid: String,
    begun: Instant,
    cpu: Duration,
    took: Arc<Mutex<Vec<Duration>>>,
}

impl Measured {
    fn begin(pid: &str) -> Result<Self> {
        let cpu = cpu_time(pid)?;
        Ok(Self { pid: pid.to_owned(), begun: Instant::now(), cpu, took: Arc::default() })
    }

    fn done(&self, begun: Instant) {
        if let Ok(mut took) = self.took.lock() {
            took.push(begun.elapsed());
        }
    }

    fn print(&self) -> Result<()> {
        let (elapsed, cpu) = (self.begun.elapsed(), cpu_time(&self.pid)? - self.cpu);
        let mut took = self.took.lock().map_err(|error| error.to_string())?.clone();
        took.sort();
        let count = took.len().max(1) as f64;
        let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
        println!("count {}", took.len());
        println!("rate {:.1}", count / elapsed.as_secs_f64());
        println!("p99 {:.1}", p99.as_secs_f64() * 1000.0);
        println!("cpu {:.2}", cpu.as_secs_f64() * 1000.0 / count);
        Ok(())
    }
}

/// User and system time of a process (proc(5): fields 14 and 15 of stat, in hundredths of a second).
fn cpu_time(pid: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("an unknown format of /proc/<pid>/stat")?;
    let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}
