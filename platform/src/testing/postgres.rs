//! A throw-away PostgreSQL cluster for each test process, on a free port of loopback.
//!
//! A shell waits for the end of a pipe that only this process holds: however the process ends, the
//! server is stopped and its directory removed.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

static CLUSTER: OnceCell<Option<String>> = OnceCell::const_new();

/// The URL of a new, empty schema.
pub(super) async fn schema() -> Option<String> {
    let cluster = CLUSTER
        .get_or_init(|| async { tokio::task::spawn_blocking(start).await.expect("starting PostgreSQL") })
        .await
        .as_ref()?;
    let schema = format!("test_{}", Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(cluster).await.expect("the throw-away PostgreSQL answers");
    // The name is made of hexadecimal digits.
    let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
    sqlx::query(create).execute(&mut admin).await.expect("a new schema");
    Some(format!("{cluster}?options=-csearch_path%3D{schema}"))
}

fn start() -> Option<String> {
    let Some(bin) = find() else {
        super::skip("postgres", "PostgreSQL's initdb and pg_ctl were not found");
        return None;
    };
    let dir = tempfile::Builder::new().prefix("latchkey-postgres-").tempdir().expect("a directory").keep();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let root = is_root();
    if root {
        run(Command::new("chown").arg("postgres").arg(&dir));
    }
    let as_postgres = |program: &str| {
        let program = bin.join(program);
        // PostgreSQL refuses to run as root.
        if root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        }
    };
    let data = dir.join("data");
    run(as_postgres("initdb").args(["--username=postgres", "--auth=trust", "--no-sync", "-D"]).arg(&data));
    let options = format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=400"
    );
    run(as_postgres("pg_ctl")
        .args(["-w", "-t", "60", "-o", &options, "-l"])
        .arg(dir.join("log"))
        .arg("-D")
        .arg(&data)
        .arg("start"));
    stop_with_this_process(as_postgres("pg_ctl"), &data, &dir);
    Some(format!("postgres://postgres@127.0.0.1:{port}/postgres"))
}

fn find() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&on_path)
        .chain(packaged.map(|version| version.path().join("bin")))
        .find(|dir| dir.join("initdb").exists() && dir.join("pg_ctl").exists())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

fn run(command: &mut Command) {
    let output = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn stop_with_this_process(pg_ctl: Command, data: &Path, dir: &Path) {
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            "trap '' INT TERM; cat >/dev/null; dir=$1; shift; \"$@\" >/dev/null 2>&1; rm -rf \"$dir\"",
            "sh",
        ])
        .arg(dir)
        .arg(pg_ctl.get_program())
        .args(pg_ctl.get_args())
        .args(["-m", "immediate", "-D"])
        .arg(data)
        .arg("stop")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = shell.spawn().expect("a shell that waits");
    // Its standard input stays open until this process ends.
    std::mem::forget(child);
}
