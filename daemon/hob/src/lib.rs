//! The `hob` executable: daemon, worker and command line in one. A library, so that tests can have one whose workers are
//! scripted, and `hob` itself need not know of that.
#![forbid(unsafe_code)]

mod cli;
mod serve;
mod settings;
mod telemetry;
mod worker;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use crate::cli::{Arguments, Command};
use crate::settings::Settings;

/// What the command line asks for.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        // First, and without a runtime: a worker has one thread until its model is loaded.
        Some(Command::Worker) => worker::run(),
        Some(Command::Serve(serve)) => serve::run(serve),
        command => client(arguments.host, command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => telemetry::report(&error),
    }
}

/// Without a verb there is only `--version` left to answer.
fn client(host: Option<String>, command: Option<Command>) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(async {
        let context = cli::Context { host, settings };
        match command {
            Some(command) => cli::run(command, context).await,
            None => cli::version(&context).await,
        }
    })
}
