//! `hob` as it is, but that its workers answer by a script: what the scheduler starts as a worker is the executable that it
//! runs in, and as a worker this one is another. So nothing in `hob` knows of it, and no setting leads to it.
#![forbid(unsafe_code)]

mod script;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("worker") {
        return hob::main();
    }
    match worker::run() {
        Ok(()) => ExitCode::SUCCESS,
        // Said nowhere: the daemon sees that it is gone.
        Err(_) => ExitCode::FAILURE,
    }
}
