//! What operators do from the command line. The work is done by [`idp::admin`]; here it is asked for and printed.

pub(crate) mod audit;
pub(crate) mod clients;
pub(crate) mod explain;
pub(crate) mod keys;
mod password;
pub(crate) mod users;

use std::fmt::Write;

use idp::{admin::Operator, audit::Log};
use platform::db::Db;

use crate::{Failure, say};

/// The identity provider's database, brought up to date as a start would; the server may be running.
async fn open(config: &idp::Config) -> Result<Operator, Failure> {
    let db = Db::open(&config.database_url, &idp::store::MIGRATIONS)
        .await
        .map_err(|error| Failure::new(format!("idp.database_url: {error}")))?;
    let log = Log::open(&config.keys_dir).map_err(|error| Failure::new(format!("idp.keys_dir: {error}")))?;
    Ok(Operator::new(db, log))
}

/// Prints rows in columns that line up, under a heading.
fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let heading = heading.map(str::to_owned);
    let lines: Vec<&[String; N]> = std::iter::once(&heading).chain(rows).collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(*line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for line in lines {
        let mut text = String::new();
        for (width, cell) in widths.iter().zip(line) {
            let _ = write!(text, "{cell:width$}  ");
        }
        say(text.trim_end())?;
    }
    Ok(())
}
