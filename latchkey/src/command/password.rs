//! Reading a password: never from the command line, which other users of the machine can see.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::{Command, Stdio},
};

use platform::secret::{ExposeSecret, SecretString, equal};

use crate::Failure;

/// Asks on a terminal, twice and without showing it; else reads the first line of standard input.
pub(crate) fn read() -> Result<SecretString, Failure> {
    if !io::stdin().is_terminal() {
        return line();
    }
    let _hidden = Hidden::new();
    let first = ask("Password: ")?;
    let second = ask("Once more: ")?;
    if equal(first.expose_secret(), second.expose_secret()) {
        Ok(first)
    } else {
        Err(Failure::new("the two passwords are not the same"))
    }
}

fn ask(prompt: &str) -> Result<SecretString, Failure> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{prompt}")?;
    let answer = line();
    writeln!(stderr)?;
    answer
}

fn line() -> Result<SecretString, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::new("no password was given; it is read from standard input"));
    }
    Ok(password.to_owned().into())
}

/// A terminal that does not show what is typed, until dropped.
struct Hidden;

impl Hidden {
    fn new() -> Self {
        echo("-echo");
        Self
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        echo("echo");
    }
}

fn echo(mode: &str) {
    // Without stty the password is shown, which is better than not being able to set one.
    let _ = Command::new("stty").arg(mode).stdin(Stdio::inherit()).stderr(Stdio::null()).status();
}
