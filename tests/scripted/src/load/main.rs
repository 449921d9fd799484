//! A client that times Hob, not itself: what it sends is made before, and what comes back is looked at as bytes. It prints
//! its figures as JSON; what they mean for whom is the bench script's to say.
#![forbid(unsafe_code)]

mod daemon;
mod http;
mod measure;

use std::process::ExitCode;

use crate::daemon::Daemon;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(process), Some(what)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return usage();
    };
    let (Ok(port), Ok(process)) = (port.parse(), process.parse()) else { return usage() };
    let daemon = Daemon { port, process };
    let figures = match what.as_str() {
        "tokens" => measure::tokens(&daemon).await,
        "requests" => measure::requests(&daemon).await,
        "streams" => measure::streams(&daemon).await,
        "short" => measure::short(&daemon).await,
        _ => return usage(),
    };
    match figures {
        Ok(figures) => say(&figures.to_string()),
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    say("scripted-load PORT PROCESS tokens|requests|streams|short");
    ExitCode::FAILURE
}

#[expect(clippy::print_stdout, reason = "its figures are its output")]
fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
