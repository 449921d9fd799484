//! The harness: a real hob on a free port with a home of its own, which shows its log when a test fails.
#![expect(clippy::unwrap_used, reason = "a harness that cannot go on is a failed test")]

pub mod browser;
pub mod docker_registry;
pub mod group;
pub mod lan;
pub mod mdns;
pub mod pairs;
pub mod server;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rexpect::session::{PtySession, spawn_command};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::group::Group;
use crate::lan::{Lan, Machine};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running daemon with the model `smollm2` in its store.
pub struct Hob {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// `https://ADDRESS:PORT`, of one that was started on a network.
    pub lan_url: Option<String>,
    /// Its home; gone with it.
    pub home: TempDir,
    environment: Vec<(String, String)>,
    daemon: Child,
    log: Arc<Log>,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub text: String,
}

impl Answer {
    /// The body as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body as one JSON value a line.
    pub fn lines(&self) -> Vec<Value> {
        self.text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// The JSON values of a server-sent event stream, without its `[DONE]`, which must be there.
    pub fn events(&self) -> Vec<Value> {
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        let (done, events): (Vec<_>, Vec<_>) = data.partition(|data| *data == "[DONE]");
        assert_eq!(done.len(), 1, "{self:?}");
        events.into_iter().map(|data| serde_json::from_str(data).unwrap()).collect()
    }
}

/// What a daemon said.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grew: Condvar,
}

impl Log {
    fn add(&self, line: &str) {
        let mut text = self.text.lock().unwrap();
        text.push_str(line);
        text.push('\n');
        self.grew.notify_all();
    }
}

impl Hob {
    /// A daemon whose store holds `smollm2`.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with settings by environment.
    pub fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_empty(environment).with_model()
    }

    /// The same, in a control group. The command line and the tests stay out of it.
    pub fn start_in(group: &Group, environment: &[(&str, &str)]) -> Self {
        let home = TempDir::new().unwrap();
        let mut command = clean_command(Path::new("/bin/sh"), home.path());
        command.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(group.entrance()).arg(executable());
        Self::launch(command, home, owned(environment)).with_model()
    }

    fn with_model(self) -> Self {
        let made = self.create("smollm2", &model_file());
        assert!(made.status.success(), "{made:?}");
        self
    }

    /// A daemon with nothing in its store.
    pub fn start_empty(environment: &[(&str, &str)]) -> Self {
        let home = TempDir::new().unwrap();
        Self::launch(command(home.path()), home, owned(environment))
    }

    /// Kills the daemon as a power cut would, and starts another one over what it left.
    pub fn killed_and_restarted(self) -> Self {
        self.restarted_with(&[])
    }

    /// The same, with other settings as well.
    pub fn restarted_with(mut self, environment: &[(&str, &str)]) -> Self {
        self.kill();
        let home = std::mem::replace(&mut self.home, TempDir::new().unwrap());
        let mut settings = std::mem::take(&mut self.environment);
        settings.retain(|(name, _)| environment.iter().all(|(other, _)| other != name));
        settings.extend(owned(environment));
        Self::launch(command(home.path()), home, settings)
    }

    /// The same, on the machine where it was.
    pub fn restarted_at(mut self, machine: &Machine, environment: &[(&str, &str)]) -> Self {
        self.kill();
        let home = std::mem::replace(&mut self.home, TempDir::new().unwrap());
        let mut settings = std::mem::take(&mut self.environment);
        settings.extend(owned(environment));
        let mut command = machine.command(executable().to_str().unwrap());
        command.env_clear().env("HOME", home.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        Self::launch(command, home, settings)
    }

    /// A daemon whose workers answer by the script that a prompt is; it has the model `smollm2`.
    pub fn start_scripted() -> Self {
        let home = TempDir::new().unwrap();
        let command = clean_command(&built("scripted-hob"), home.path());
        Self::launch(command, home, Vec::new()).with_model()
    }

    /// The same, on a network.
    pub fn start_scripted_on(lan: &Lan, environment: &[(&str, &str)]) -> Self {
        let home = TempDir::new().unwrap();
        let command = clean_command(&built("scripted-hob"), home.path());
        let address = format!("{}:0", lan.address);
        Self::launch(command, home, owned(&[&[("HOB_LAN", address.as_str())], environment].concat()))
            .with_model()
    }

    /// The same, on a machine of its own, with nothing in its store.
    pub fn start_scripted_at(machine: &Machine, environment: &[(&str, &str)]) -> Self {
        Self::start_program_at("scripted-hob", machine, environment)
    }

    /// A daemon with nothing in its store that serves a network, too.
    pub fn start_on(lan: &Lan, environment: &[(&str, &str)]) -> Self {
        let address = format!("{}:0", lan.address);
        // The network of whoever runs the tests is not asked, nor told.
        let own = [("HOB_LAN", address.as_str()), ("HOB_LAN__ANNOUNCE", "off")];
        Self::start_empty(&[&own, environment].concat())
    }

    /// A daemon on a machine of its own that serves its network, with nothing in its store. Its loopback is that machine's: it is
    /// asked by [`Hob::there`], and by whoever is on the network.
    pub fn start_at(machine: &Machine, environment: &[(&str, &str)]) -> Self {
        Self::start_program_at("hob", machine, environment)
    }

    fn start_program_at(program: &str, machine: &Machine, environment: &[(&str, &str)]) -> Self {
        let home = TempDir::new().unwrap();
        let mut command = machine.command(built(program).to_str().unwrap());
        command.env_clear().env("HOME", home.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let address = format!("{}:11443", machine.address);
        Self::start_as(command, home, &[&[("HOB_LAN", address.as_str())], environment].concat())
    }

    /// A daemon that something else starts, which is given `serve` as its last argument.
    pub fn start_as(command: Command, home: TempDir, environment: &[(&str, &str)]) -> Self {
        Self::launch(command, home, owned(environment))
    }

    fn launch(mut command: Command, home: TempDir, environment: Vec<(String, String)>) -> Self {
        command
            .arg("serve")
            .env("HOB_LISTEN", "127.0.0.1:0")
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let mut daemon = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Log::default());
        let (heard, listening) = channel();
        let (stderr, kept) = (BufReader::new(daemon.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    let _late = heard.send(url.to_owned());
                }
                kept.add(&line);
            }
        });
        let address = || match listening.recv_timeout(PATIENCE) {
            Ok(url) => url,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                panic!("hob does not listen: {}", log.text.lock().unwrap())
            }
        };
        let url = address();
        let lan_url = environment.iter().any(|(name, _)| name == "HOB_LAN").then(address);
        Self { url, lan_url, home, environment, daemon, log }
    }

    /// `hob ARGS...` against this daemon.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.command().args(args).stdin(Stdio::null()).output().unwrap()
    }

    /// The same, with something on its standard input.
    pub fn cli_saying(&self, args: &[&str], input: &str) -> Output {
        let file = self.home.path().join("input");
        std::fs::write(&file, input).unwrap();
        self.command().args(args).stdin(std::fs::File::open(file).unwrap()).output().unwrap()
    }

    /// `hob ARGS...` on the machine where this daemon is, as its owner.
    pub fn there(&self, machine: &Machine, args: &[&str]) -> Output {
        self.there_saying(machine, args, "")
    }

    /// The same, with something on its standard input.
    pub fn there_saying(&self, machine: &Machine, args: &[&str], input: &str) -> Output {
        let file = self.home.path().join("input");
        std::fs::write(&file, input).unwrap();
        self.command_on(machine).args(args).stdin(std::fs::File::open(file).unwrap()).output().unwrap()
    }

    /// The command line on the machine where this daemon is, to be given arguments.
    pub fn command_on(&self, machine: &Machine) -> Command {
        let mut command = machine.command(executable().to_str().unwrap());
        command.env_clear().env("HOME", self.home.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("HOB_HOST", &self.url);
        command
    }

    /// The daemon still answers, on its machine.
    pub fn assert_serves(&self, machine: &Machine) {
        let answer = machine.command("curl").args(["-sS", "--max-time", "120", &self.url]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.stdout), "Ollama is running", "{answer:?}");
    }

    /// The command line, to be given arguments.
    pub fn command(&self) -> Command {
        let mut command = command(self.home.path());
        command.env("HOB_HOST", &self.url);
        command
    }

    /// `hob create NAME` from a GGUF file.
    pub fn create(&self, name: &str, gguf: &Path) -> Output {
        let modelfile = self.home.path().join("Modelfile");
        std::fs::write(&modelfile, format!("FROM {}\n", gguf.display())).unwrap();
        self.cli(&["create", name, "-f", modelfile.to_str().unwrap()])
    }

    /// A GET.
    pub fn get(&self, path: &str) -> Answer {
        finish(client().get(format!("{}{path}", self.url)))
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string())
    }

    /// A POST of anything.
    pub fn post_text(&self, path: &str, body: &str) -> Answer {
        finish(client().post(format!("{}{path}", self.url)).body(body.to_owned()))
    }

    /// A POST of bytes.
    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        finish(client().post(format!("{}{path}", self.url)).body(body.to_vec()))
    }

    /// A DELETE of JSON.
    pub fn delete(&self, path: &str, body: &Value) -> Answer {
        finish(client().delete(format!("{}{path}", self.url)).body(body.to_string()))
    }

    /// A POST whose answer nobody waits for.
    pub fn post_and_leave(&self, path: &str, body: &Value) {
        let request = client().post(format!("{}{path}", self.url)).body(body.to_string());
        std::thread::spawn(move || drop(request.send()));
    }

    /// A DELETE of JSON whose answer nobody waits for.
    pub fn delete_and_leave(&self, path: &str, body: &Value) {
        let request = client().delete(format!("{}{path}", self.url)).body(body.to_string());
        std::thread::spawn(move || drop(request.send()));
    }

    /// A POST whose answer is read line by line as it comes.
    pub fn stream(&self, path: &str, body: &Value) -> BufReader<reqwest::blocking::Response> {
        BufReader::new(client().post(format!("{}{path}", self.url)).body(body.to_string()).send().unwrap())
    }

    /// A GET whose answer is read line by line as it comes.
    pub fn follow(&self, path: &str) -> BufReader<reqwest::blocking::Response> {
        BufReader::new(client().get(format!("{}{path}", self.url)).send().unwrap())
    }

    /// The whole answer to a prompt, greedy.
    pub fn ask(&self, prompt: &str, tokens: u32) -> Value {
        let options = json!({"temperature": 0, "num_predict": tokens});
        let answer = self.post(
            "/api/generate",
            &json!({"model": "smollm2", "prompt": prompt, "stream": false, "options": options}),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The workers' process numbers.
    pub fn workers(&self) -> Vec<i32> {
        let mut found: Vec<i32> = Vec::new();
        // Any of the daemon's threads may have been the one that started it.
        for task in std::fs::read_dir(format!("/proc/{}/task", self.daemon.id())).unwrap().flatten() {
            let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(text.split_whitespace().filter_map(|number| number.parse::<i32>().ok()));
        }
        found
    }

    /// Waits until the daemon's log has these words so many times.
    pub fn await_log(&self, words: &str, times: usize) {
        let text = self.log.text.lock().unwrap();
        let lacks = |text: &mut String| text.matches(words).count() < times;
        let (text, waited) = self.log.grew.wait_timeout_while(text, PATIENCE, lacks).unwrap();
        let said = (*text).clone();
        // Or nobody could show it afterwards.
        drop(text);
        let text = said;
        assert!(!waited.timed_out(), "{words:?} is not there {times} times: {text}");
    }

    /// The daemon still answers.
    pub fn assert_alive(&self) {
        assert_eq!(self.get("/").text, "Ollama is running");
    }

    /// Asks the daemon to end, and waits for it.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        nix::sys::signal::kill(self.pid(), nix::sys::signal::Signal::SIGTERM).unwrap();
        self.daemon.wait().unwrap()
    }

    /// Kills the daemon, as a power cut would.
    pub fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        self.log.text.lock().unwrap().clone()
    }

    /// `hob ARGS...` at a terminal of its own.
    pub fn terminal(&self, args: &[&str]) -> Terminal {
        let mut command = command(self.home.path());
        command.env("HOB_HOST", &self.url).args(args);
        Terminal::of(command)
    }

    /// The daemon's process number.
    pub fn process(&self) -> u32 {
        self.daemon.id()
    }

    /// Has the daemon hang: it does nothing more, and its system keeps its connections.
    pub fn hang(&self) {
        nix::sys::signal::kill(self.pid(), nix::sys::signal::Signal::SIGSTOP).unwrap();
    }

    fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.daemon.id().cast_signed())
    }
}

/// A program at a terminal, and the person before it.
pub struct Terminal(PtySession);

impl Terminal {
    /// Starts a program in it.
    pub fn of(mut command: Command) -> Self {
        command.env("TERM", "xterm").env_remove("NO_COLOR");
        // The pty is the program's, whatever its streams were to be.
        command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let patience = u64::try_from(PATIENCE.as_millis()).ok();
        Self(spawn_command(command, patience).unwrap())
    }

    /// Waits for the prompt, as a terminal does: it says where the cursor is.
    pub fn prompt(&mut self) -> String {
        let before = self.wait_for("\u{1b}[6n");
        self.type_keys("\u{1b}[1;1R");
        self.wait_for(">>> ");
        before
    }

    /// What the program wrote until `text`, which must come.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.0.exp_string(text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Types, and presses Enter.
    pub fn enter(&mut self, line: &str) {
        self.type_keys(&format!("{line}\r"));
    }

    /// Presses keys.
    pub fn type_keys(&mut self, keys: &str) {
        self.0.send(keys).unwrap();
        self.0.flush().unwrap();
    }

    /// Waits until the program has ended; what it wrote until then.
    pub fn end(mut self) -> String {
        self.0.exp_eof().unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Hob {
    fn drop(&mut self) {
        let _gone = self.daemon.kill();
        let _gone = self.daemon.wait();
        if std::thread::panicking() {
            let text = self.log();
            #[expect(clippy::print_stderr, reason = "a failing test shows what the daemon said")]
            {
                eprintln!("--- the daemon's log\n{text}---");
            }
        }
    }
}

/// A port that nobody listens on, and that the system does not hand out by itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn client() -> reqwest::blocking::Client {
    reqwest::blocking::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap()
}

fn finish(request: reqwest::blocking::RequestBuilder) -> Answer {
    let response = request.send().unwrap();
    Answer { status: response.status().as_u16(), text: response.text().unwrap() }
}

fn owned(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// `hob` with a home of its own and nothing else of this environment.
pub fn command(home: &Path) -> Command {
    clean_command(&executable(), home)
}

#[expect(clippy::disallowed_methods, reason = "tests start the real executable")]
fn clean_command(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").stdout(Stdio::piped());
    command
}

/// The executable that was built with these tests.
pub fn executable() -> PathBuf {
    built("hob")
}

fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join(name);
    assert!(built.is_file(), "{} is missing: run cargo build --workspace", built.display());
    built
}

/// The folder of models and client libraries that the scripts fill.
#[expect(clippy::disallowed_methods, reason = "tests find the cache as the scripts do")]
pub fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache"))).unwrap().join("hob")
}

/// SmolLM2 135M Instruct.
pub fn model_file() -> PathBuf {
    let file = cache().join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(file.is_file(), "{} is missing: run scripts/fetch-models", file.display());
    file
}

/// The same, with 16 bits a weight.
pub fn float_model_file() -> PathBuf {
    made("SmolLM2-135M-Instruct.F16.gguf")
}

/// A LoRA adapter for [`float_model_file`].
pub fn adapter_file() -> PathBuf {
    made("SmolLM2-135M-Instruct.lora.gguf")
}

/// A projector of random weights for the test model, as tests/clients/tiny_projector.py makes it.
pub fn projector_file() -> PathBuf {
    made("SmolLM2-135M-Instruct.projector.gguf")
}

/// [`float_model_file`] with [`adapter_file`] merged into its weights.
pub fn merged_model_file() -> PathBuf {
    made("SmolLM2-135M-Instruct.F16-merged.gguf")
}

/// all-MiniLM-L6-v2.
pub fn embedding_model_file() -> PathBuf {
    made("all-MiniLM-L6-v2.F16.gguf")
}

/// A tiny model that scores documents, of random weights.
pub fn reranker_file() -> PathBuf {
    made("tiny-reranker.gguf")
}

fn made(name: &str) -> PathBuf {
    let file = cache().join("models").join(name);
    assert!(file.is_file(), "{} is missing: scripts/test makes it", file.display());
    file
}
