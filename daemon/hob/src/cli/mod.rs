//! The command line: its grammar, and which file answers each verb. A client over HTTP like any other program:
//! it never opens the store or a model itself.

mod ask;
mod audit;
mod cert;
mod claim;
mod client;
mod console;
mod cp;
mod create;
mod destination;
mod discover;
mod doctor;
mod embed;
mod export;
mod human;
mod import;
mod key;
mod launch;
mod line_editor;
mod list;
mod neighbour;
mod pair;
mod progress;
mod ps;
mod rm;
mod run;
mod show;
mod slash;
mod start;
mod status;
mod stop;
mod transfer;
mod trust;
mod wrap;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use identity::pairing::Boxes;
use platform::directories::Directories;

use self::client::Client;
use self::destination::{Destination, base_url};
use crate::settings::Settings;

/// Runs language models in worker processes and serves Ollama's and OpenAI's HTTP APIs.
#[derive(Debug, Parser)]
#[command(name = "hob", disable_version_flag = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The daemon to talk to: a paired box by its name, or `[scheme://]host[:port]`; else HOB_HOST, then OLLAMA_HOST, then
    /// where `listen` is set to.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
    /// Shows the version of the daemon, and of this program where they differ.
    #[arg(short = 'v', long)]
    pub(crate) version: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts the daemon.
    #[command(visible_alias = "start")]
    Serve(crate::serve::Arguments),
    /// Runs one model for the daemon; started by it alone.
    #[command(hide = true)]
    Worker,
    /// Runs a model: answers a prompt, or opens a conversation.
    Run(run::Arguments),
    /// Pulls a model from a registry, or from a box that this one is paired with.
    Pull(transfer::PullArguments),
    /// Pushes a model to a registry.
    Push(transfer::Arguments),
    /// Writes models into a folder or a file, for boxes that no network joins.
    Export(export::Arguments),
    /// Brings models from such a folder or file.
    Import(import::Arguments),
    /// Creates a model from a Modelfile.
    Create(create::Arguments),
    /// Shows what a model is made of.
    Show(show::Arguments),
    /// Lists the models in the store.
    #[command(visible_alias = "ls")]
    List(list::ListArguments),
    /// Lists the models that are loaded.
    Ps(list::Arguments),
    /// Gives a model a second name.
    Cp(cp::Arguments),
    /// Unloads a model.
    Stop(stop::Arguments),
    /// Removes models from the store.
    Rm(rm::Arguments),
    /// Prints the settings with which other programs use this Hob, or puts them into their files.
    Launch(launch::Arguments),
    /// Tells whether the store is whole.
    Doctor(doctor::Arguments),
    /// Tells how the box stands: who it is, where it is reached, whose it is.
    Status(status::Arguments),
    /// Makes the box yours: names who administers it.
    Claim(claim::Arguments),
    /// Makes, lists and ends the keys by which programs are known to the box.
    Key(key::Arguments),
    /// Lists the boxes on this network.
    Discover(discover::Arguments),
    /// Pairs with a box elsewhere, by the ID that its console shows; or invites one, or somebody's laptop.
    Pair(pair::Arguments),
    /// Has this machine's programs trust a box's certificates.
    Trust(trust::Arguments),
    /// Shows the certificate by which the box is known.
    Cert,
    /// Shows who did what to the box, and whether that was tampered with.
    Audit(audit::Arguments),
}

/// What a verb needs to know beside its own arguments.
#[derive(Debug)]
pub(crate) struct Context {
    /// `--host`, as typed.
    pub(crate) host: Option<String>,
    /// The settings this program was started with.
    pub(crate) settings: Settings,
}

impl Context {
    /// The address asked for by flag or environment, if any.
    fn asked_host(&self) -> Option<&str> {
        self.host.as_deref().or(self.settings.client_host.as_deref())
    }

    /// Where the history and the log of a daemon started here live.
    fn state_dir(&self) -> anyhow::Result<PathBuf> {
        let home = std::env::home_dir().context("this user has no home folder")?;
        Ok(Directories::of_user(&home).state)
    }

    /// The boxes that this user paired.
    fn boxes(&self) -> Boxes {
        Boxes::within(self.settings.boxes_dir.clone())
    }

    /// The same for a box that this user paired.
    fn on(&self, name: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(self.host.is_none(), "--on and --host both say which box it is for; give one");
        let paired = matches!(Destination::of(name, &self.boxes().list()?), Destination::Paired(_));
        anyhow::ensure!(
            paired,
            "no box called '{name}' is paired with this user\nhint: hob discover lists those on this network; hob pair {name} \
             makes one known, by the ID that its console shows"
        );
        Ok(Self { host: Some(name.to_owned()), settings: self.settings.clone() })
    }

    /// Where nothing else is asked for, our own daemon is where the settings have it listen.
    fn destination(&self) -> anyhow::Result<Destination> {
        match self.asked_host() {
            Some(host) => Ok(Destination::of(host, &self.boxes().list()?)),
            None => Ok(Destination::Url(self.ours().into_iter().next().unwrap_or_else(|| base_url("")))),
        }
    }

    fn ours(&self) -> Vec<String> {
        self.settings.door.listen.iter().map(|address| base_url(&address.to_string())).collect()
    }

    fn client(&self) -> anyhow::Result<Client> {
        Client::new(self.destination()?, self.settings.client_key.as_ref())
    }

    /// For what only those may do who administer a box: this machine's by its socket, and where that is not for this user by a key,
    /// if there is one to show. Anybody may listen at a port, and would be shown it.
    fn administration(&self) -> anyhow::Result<Client> {
        let key = self.settings.client_key.as_ref();
        let destination = match self.administered()? {
            Destination::Socket(path) if key.is_some() && UnixStream::connect(&path).is_err() => {
                self.destination()?
            }
            destination => destination,
        };
        Client::new(destination, key)
    }

    /// A loopback address that was typed is another daemon's unless our settings name it; one from the environment is where
    /// this machine's was told to listen.
    fn administered(&self) -> anyhow::Result<Destination> {
        Ok(match self.destination()? {
            Destination::Url(url)
                if destination::is_loopback(&url) && (self.host.is_none() || self.ours().contains(&url)) =>
            {
                Destination::Socket(self.settings.admin.reachable().to_owned())
            }
            destination => destination,
        })
    }
}

/// Carries out one verb.
///
/// # Errors
/// What the user is to be told, already worded; the caller prints it after `Error: ` and exits with 1.
pub(crate) async fn run(command: Command, context: Context) -> anyhow::Result<()> {
    match command {
        Command::Serve(_) | Command::Worker => anyhow::bail!("this verb is not a client's"),
        Command::Run(mut arguments) => match arguments.on.take() {
            Some(name) => run::run(arguments, &context.on(&name)?).await,
            None => run::run(arguments, &context).await,
        },
        Command::Pull(arguments) => transfer::pull(&context.client()?, &arguments).await,
        Command::Push(arguments) => transfer::push(&context.client()?, &arguments).await,
        Command::Export(arguments) => export::run(arguments, &context.client()?).await,
        Command::Import(arguments) => import::run(arguments, &context.client()?).await,
        Command::Cp(arguments) => cp::run(&arguments, &context.client()?).await,
        Command::Create(arguments) => create::run(arguments, &context).await,
        Command::Show(arguments) => show::run(arguments, &context.client()?).await,
        Command::List(arguments) => list::list(&arguments, &context.client()?).await,
        Command::Ps(arguments) => ps::run(&arguments, &context.client()?).await,
        Command::Stop(arguments) => stop::run(&arguments, &context.client()?).await,
        Command::Launch(arguments) => launch::run(arguments, &context).await,
        Command::Doctor(arguments) => doctor::run(&arguments, &context.client()?).await,
        Command::Rm(arguments) => rm::run(&arguments, &context.client()?).await,
        Command::Status(arguments) => status::run(&arguments, &context.administration()?).await,
        Command::Claim(arguments) => claim::run(arguments, &context).await,
        Command::Key(arguments) => key::run(arguments, &context.administration()?).await,
        Command::Discover(arguments) => discover::run(arguments, &context).await,
        Command::Pair(arguments) => pair::run(arguments, &context).await,
        Command::Trust(arguments) => trust::run(arguments, &context).await,
        Command::Cert => cert::run(&context.administration()?).await,
        Command::Audit(arguments) => audit::run(arguments, &context).await,
    }
}

/// Prints `hob version is X`, asking the daemon first.
///
/// # Errors
/// An address that cannot be read.
pub(crate) async fn version(context: &Context) -> anyhow::Result<()> {
    let ours = env!("CARGO_PKG_VERSION");
    match context.client()?.version().await {
        Ok(theirs) => {
            say(&format!("hob version is {theirs}"));
            if theirs != ours {
                say(&format!("Warning: client version is {ours}"));
            }
        }
        Err(_) => {
            say("Warning: could not connect to a running hob");
            say(&format!("hob version is {ours}"));
        }
    }
    Ok(())
}

/// One line of data, on standard output. A reader that has gone, as in `hob list | head`, is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// One line of talk, on standard error.
fn remark(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
