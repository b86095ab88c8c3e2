//! `latchkey`: the three services in one process, one of them alone, and what operators need.

mod cli;
mod command;
mod config;
mod serve;

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use crate::cli::{Cli, Command};

/// Why the program ends with status 1: said in one sentence, or one line for each mistake.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl Failure {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::new(format!("cannot start: {error}"))),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => {
            // Whatever still waits in the background (a file being read) does not keep the process alive.
            runtime.shutdown_background();
            ExitCode::SUCCESS
        }
        Err(failure) => fail(&failure),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let loaded = config::load(&cli);
    match cli.command {
        None => serve::all(loaded.into_checked()?).await,
        Some(Command::Idp(_)) => serve::idp(loaded.into_checked()?).await,
        Some(Command::Api(_)) => serve::api(loaded.into_checked()?).await,
        Some(Command::Web(_)) => serve::web(loaded.into_checked()?).await,
        Some(Command::Keys(action)) => command::keys::run(action, &loaded.into_checked()?.idp).await,
        Some(Command::User(action)) => command::users::run(action, &loaded.into_checked()?.idp).await,
        Some(Command::Client(action)) => command::clients::run(action, loaded.into_checked()?).await,
        Some(Command::Audit(action)) => command::audit::run(action, &loaded.into_checked()?.idp).await,
        Some(Command::Explain { reference }) => {
            command::explain::run(&reference, &loaded.into_checked()?.idp).await
        }
        Some(Command::Config(cli::ConfigAction::Check)) => {
            loaded.into_checked()?;
            say("The configuration is good.")
        }
    }
}

/// One line on standard output.
pub(crate) fn say(line: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{line}") {
        // Nobody reads any more (`| head`): nothing is wrong with us.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    let mut stderr = io::stderr().lock();
    for line in failure.0.lines() {
        let _ = writeln!(stderr, "latchkey: {line}");
    }
    ExitCode::FAILURE
}
