//! The log: which records are written, and how. It goes to standard error.

use crate::args::{LogArgs, LogFormat};
use crate::{color, progress};
use std::io::{self, IsTerminal as _};
use tracing_subscriber::EnvFilter;

/// Starts the log. `RUST_LOG` holds directives as tracing-subscriber documents them
/// (`labsim_monitor=debug,info`) and wins over `-v`. Warnings and errors are logged by default.
///
/// # Errors
/// `RUST_LOG` is not valid.
pub(crate) fn start(args: &LogArgs) -> Result<(), String> {
    let directives = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let directives = directives.as_deref().unwrap_or(match args.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    });
    let filter = EnvFilter::try_new(directives).map_err(|error| {
        format!("RUST_LOG is not valid: {error}; write a level or directives such as `info`")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(progress::log)
        // The library would report a closed standard error there, and panic.
        .log_internal_errors(false)
        .with_ansi(color::is_colored(args.color, io::stderr().is_terminal()));
    match args.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().with_current_span(false).init(),
    }
    Ok(())
}
