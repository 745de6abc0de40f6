//! The one helper that logs a fault with its chain of causes.

use std::error::Error;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

/// Logs `error` with every cause behind it; `during` names what was being done.
///
/// Errors never carry secrets: types that hold keys or tokens have no `Display`.
pub fn fault(during: &str, error: &dyn Error) {
    tracing::error!(during, "{}", chain(error));
}

/// `error: cause: cause`, on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// Starts logging to stderr; `RUST_LOG` chooses what, `info` by default.
pub fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        .init();
}
