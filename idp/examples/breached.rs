//! Makes the table of breached passwords, `src/password/breached.bin`, out of lists: JSON arrays, or one password a
//! line. `src/password/breached.md` has the commands.

use std::{
    env, fs,
    io::{self, Write},
};

fn main() -> io::Result<()> {
    let lists = env::args_os().skip(1).map(fs::read_to_string).collect::<io::Result<Vec<_>>>()?;
    let mut passwords = Vec::new();
    for list in &lists {
        match serde_json::from_str::<Vec<String>>(list) {
            Ok(list) => passwords.extend(list),
            Err(_) => passwords.extend(list.lines().map(str::to_owned)),
        }
    }
    io::stdout().write_all(&idp::breached::table(passwords.iter().map(String::as_str)))
}
