//! Logs: readable on a terminal, JSON otherwise, one line an event, to standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Whether a filter can be read.
///
/// # Errors
/// What is wrong with it.
pub fn check(filter: &str) -> Result<(), String> {
    EnvFilter::try_new(filter).map(drop).map_err(|error| error.to_string())
}

/// Starts logging. `filter` as in `RUST_LOG` (`info`, `info,idp=debug`).
///
/// # Errors
/// When the filter cannot be read; the text says where.
pub fn start(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    // A log that cannot be written (a full disk, a reader that is gone) must not take requests with it:
    // saying so would be written to the same place, and panic there.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).log_internal_errors(false);
    if stderr().is_terminal() {
        let _ = builder.compact().try_init();
    } else {
        let _ = builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init();
    }
    Ok(())
}
