//! Where logs go: the journal under systemd, else standard error. Never a prompt, never a key.

use std::io::Write;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogSettings, LogTarget};

/// Starts logging. Once.
///
/// # Errors
/// If the level cannot be read.
pub(crate) fn start(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = filter(&settings.level)?;
    let registry = tracing_subscriber::registry().with(filter);
    if settings.target == LogTarget::Journal
        && let Ok(journal) = tracing_journald::layer()
    {
        registry.with(journal).init();
        return Ok(());
    }
    registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false)).init();
    Ok(())
}

/// What is logged at a level, or by a list of them.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::builder().parse(level);
    filter.map_err(|error| anyhow::anyhow!("setting log.level: \"{level}\" is no level: {error}"))
}

/// Tells the user why the program ends.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // With standard error closed, the exit code is all there is.
    let _unwritten = writeln!(std::io::stderr(), "Error: {error:#}");
    ExitCode::FAILURE
}
