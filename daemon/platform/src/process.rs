//! Child processes: how a worker is started, and what it finds when it wakes. The only place that spawns.
#![expect(unsafe_code, reason = "descriptors are passed to a child by number")]

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What is started as a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerProgram {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

impl WorkerProgram {
    /// This very executable as `hob worker`. On Linux by the link in `/proc`, so that a package upgrade under a running
    /// daemon cannot start another build.
    ///
    /// # Errors
    /// If the system does not tell where the executable is.
    pub fn this_executable() -> io::Result<Self> {
        let linked = Path::new("/proc/self/exe");
        let program = if linked.exists() { linked.into() } else { std::env::current_exe()? };
        Ok(Self { program, args: vec!["worker".into()] })
    }
}

/// A running worker, killed when dropped.
#[derive(Debug)]
pub struct Worker {
    /// The frames' socket.
    pub socket: UnixStream,
    /// The process.
    pub child: tokio::process::Child,
}

/// The descriptors that a worker is born with. From the first on, systemd hands sockets to a daemon as well.
const SOCKET_FD: i32 = 3;
const MODEL_FD: i32 = 4;
const OUTPUT_FD: i32 = 5;
const PREFIXES_FD: i32 = 6;
const DRAFT_FD: i32 = 7;
const PROJECTOR_FD: i32 = 8;
/// From here on, one beside the other, and no more than there is room for.
const REMOTE_FD: i32 = 9;
/// From here on, one beside the other.
const ADAPTERS_FD: i32 = REMOTE_FD + MOST_REMOTE as i32;

/// Streams to other boxes that a worker may have.
pub const MOST_REMOTE: usize = 8;

/// What a worker may read, and what it may write, if anything.
#[derive(Debug)]
pub struct WorkerFiles {
    /// The model; one that is there for a model of another box has none.
    pub model: Option<File>,
    /// What is laid over its weights.
    pub adapters: Vec<File>,
    /// A smaller model that guesses what the model will say.
    pub draft: Option<File>,
    /// What turns images and recordings into what the model reads.
    pub projector: Option<File>,
    /// Where it is packed to.
    pub output: Option<File>,
    /// Where prefixes are kept that outlive the worker.
    pub prefixes: Option<File>,
    /// Streams to workers of other boxes; of more than [`MOST_REMOTE`], those are left out.
    pub remote: Vec<OwnedFd>,
}

/// Starts a worker with a socket to it and its open files, an almost empty environment, and nothing else.
/// To be called within a tokio runtime.
///
/// # Errors
/// If the process cannot be made.
pub fn spawn(worker: &WorkerProgram, files: WorkerFiles) -> io::Result<Worker> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut given = vec![(OwnedFd::from(theirs), SOCKET_FD)];
    given.extend(files.model.map(|model| (model.into(), MODEL_FD)));
    given.extend(files.output.map(|output| (output.into(), OUTPUT_FD)));
    given.extend(files.prefixes.map(|prefixes| (prefixes.into(), PREFIXES_FD)));
    given.extend(files.draft.map(|draft| (draft.into(), DRAFT_FD)));
    given.extend(files.projector.map(|projector| (projector.into(), PROJECTOR_FD)));
    given.extend(files.remote.into_iter().zip(REMOTE_FD..ADAPTERS_FD));
    given.extend((ADAPTERS_FD..).zip(files.adapters).map(|(number, adapter)| (adapter.into(), number)));
    // Above the target numbers, so that no dup2 overwrites another's source.
    let above = given.iter().map(|(_, number)| number + 1).max().unwrap_or(0);
    let moved = given.into_iter().map(|(file, number)| Ok((moved_above(above, file)?, number)));
    let moved = moved.collect::<io::Result<Vec<(OwnedFd, i32)>>>()?;
    let wanted: Vec<_> = moved.iter().map(|(file, number)| (file.as_raw_fd(), *number)).collect();
    let parent = Pid::this();

    #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
    let mut command = std::process::Command::new(&worker.program);
    command
        .args(&worker.args)
        .env_clear()
        .envs(WORKER_ENVIRONMENT)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let prepare = move || prepare_child(&wanted, parent);
    // SAFETY: between fork and exec only async-signal-safe calls are made: close_range or fcntl, dup2, prctl, getppid.
    unsafe { command.pre_exec(prepare) };
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    Ok(Worker { socket: ours, child })
}

/// Waiting threads of a worker spin for some tens of microseconds and then sleep: without a bound, spinning beside other
/// busy processes costs nearly everything; sleeping at once costs a third of the speed of a box that is otherwise idle.
/// An abort prints no backtrace, as that would start a debugger.
const WORKER_ENVIRONMENT: [(&str, &str); 3] =
    [("GOMP_SPINCOUNT", "10000"), ("GGML_NO_BACKTRACE", "1"), ("LANG", "C.UTF-8")];

fn prepare_child(wanted: &[(i32, i32)], parent: Pid) -> io::Result<()> {
    close_on_exec();
    for (from, to) in wanted {
        duplicate(*from, *to)?;
    }
    #[cfg(target_os = "linux")]
    {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The daemon may have died before the line above.
        if nix::unistd::getppid() != parent {
            return Err(io::ErrorKind::NotConnected.into());
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    Ok(())
}

/// Whatever is open goes with exec: whoever started the daemon may have left it something.
fn close_on_exec() {
    const FIRST: i32 = 3;
    #[cfg(target_os = "linux")]
    {
        let flags = nix::libc::CLOSE_RANGE_CLOEXEC;
        // SAFETY: plain numbers; it marks what is open, and closes nothing.
        if unsafe { nix::libc::syscall(nix::libc::SYS_close_range, FIRST, u32::MAX, flags) } == 0 {
            return;
        }
    }
    // Where the system is too old for that, as far as anybody leaves something.
    for number in FIRST..256 {
        // SAFETY: a number that is not open is an error, and nothing else.
        unsafe { nix::libc::fcntl(number, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) };
    }
}

/// A copy without close-on-exec at a number of our choice.
fn duplicate(from: i32, to: i32) -> io::Result<()> {
    // SAFETY: plain numbers; a bad one is an error.
    match unsafe { nix::libc::dup2(from, to) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn moved_above(number: i32, descriptor: OwnedFd) -> io::Result<OwnedFd> {
    let copy = nix::fcntl::fcntl(&descriptor, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(number))?;
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Runs this executable anew in this very process: with the same number, arguments and environment, and with `sockets` where
/// systemd hands them over, in their order. What else is open is closed, and all threads end.
///
/// # Errors
/// If it returns at all. Nothing can be gone on with then: what was open at the sockets' numbers is gone.
pub fn run_anew(sockets: Vec<OwnedFd>) -> io::Result<Infallible> {
    let end = SOCKET_FD + i32::try_from(sockets.len()).unwrap_or(i32::MAX - SOCKET_FD);
    // Above the target numbers, so that no dup2 overwrites another's source.
    let moved = sockets.into_iter().map(|socket| moved_above(end, socket)).collect::<io::Result<Vec<_>>>()?;
    close_on_exec();
    for (number, socket) in (SOCKET_FD..).zip(&moved) {
        duplicate(socket.as_raw_fd(), number)?;
    }
    let mut arguments = std::env::args_os();
    #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
    let mut command = std::process::Command::new(this_program()?);
    if let Some(own) = arguments.next() {
        command.arg0(own);
    }
    Err(command.args(arguments).exec())
}

/// The file of this executable; where it was replaced meanwhile, what runs is still there by its link.
fn this_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let linked = Path::new("/proc/self/exe");
    Ok(if !program.exists() && linked.exists() { linked.into() } else { program })
}

/// In a worker: the socket and the files that it was born with. Once.
///
/// # Errors
/// If this process was not started by [`spawn`].
pub fn inherited() -> io::Result<(UnixStream, WorkerFiles)> {
    // SAFETY: called once, and what is open at these numbers was put there for this process by `spawn`.
    let take = |number| unsafe { born_with(number) };
    let socket = take(SOCKET_FD)?;
    let model = take(MODEL_FD).ok().map(File::from);
    let output = take(OUTPUT_FD).ok().map(File::from);
    let prefixes = take(PREFIXES_FD).ok().map(File::from);
    let draft = take(DRAFT_FD).ok().map(File::from);
    let projector = take(PROJECTOR_FD).ok().map(File::from);
    let remote = (REMOTE_FD..ADAPTERS_FD).map_while(|number| take(number).ok()).collect();
    let adapters = (ADAPTERS_FD..).map_while(|number| take(number).ok().map(File::from)).collect();
    Ok((socket.into(), WorkerFiles { model, adapters, draft, projector, output, prefixes, remote }))
}

/// What this process was given at a number; an error if it was not. What the daemon itself has open is closed by exec.
///
/// # Safety
/// Nobody else may own the descriptor of this number.
unsafe fn born_with(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: only asks; a number that is not open is an error.
    if unsafe { nix::libc::fcntl(number, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and by this function's contract nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets this process have as many open files as the system grants it: every blob that is held is one, and every client.
/// Returns how many that is.
pub fn raise_open_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((now, most)) => {
            raised(now, most, |wanted| setrlimit(Resource::RLIMIT_NOFILE, wanted, most).is_ok())
        }
        Err(_) => OPEN_FILES,
    }
}

/// The highest limit that is granted; where none is, the one there is stands.
fn raised(now: u64, most: u64, grant: impl Fn(u64) -> bool) -> u64 {
    let wanted = [most, most.min(OPEN_MAX)];
    wanted.into_iter().find(|wanted| *wanted > now && grant(*wanted)).unwrap_or(now)
}

/// What macOS grants where it says that there is no limit.
const OPEN_MAX: u64 = 10_240;

/// What a process may have open where nobody says; every system grants it.
const OPEN_FILES: u64 = 256;

/// Runs a program of the system's to its end; returns how it ended, and what it said. Blocks until then.
///
/// # Errors
/// If it is not there, or cannot be started.
pub fn run<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> io::Result<Output> {
    #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
    std::process::Command::new(program).args(args).stdin(Stdio::null()).output()
}

/// A process of its own group, so that the terminal's Ctrl-C does not reach it.
#[derive(Debug)]
pub struct Background(std::process::Child);

impl Background {
    /// Starts a program with its output in `log`.
    ///
    /// # Errors
    /// If the process cannot be made.
    pub fn start(program: &Path, args: &[&str], log: File) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
        let mut command = std::process::Command::new(program);
        command.process_group(0);
        let log = Stdio::from(log);
        Ok(Self(command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?))
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Asks it to end, and waits until it did.
    ///
    /// # Errors
    /// If it is not ours to end any more.
    pub fn stop(mut self) -> io::Result<ExitStatus> {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM)?;
        self.0.wait()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn open_files_are_as_many_as_are_granted_and_never_fewer_than_before() {
        let macos = |wanted| wanted <= OPEN_MAX;
        assert_eq!(raised(256, u64::MAX, macos), OPEN_MAX);
        assert_eq!(raised(20_000, u64::MAX, macos), 20_000);
        assert_eq!(raised(1024, 4096, |_| true), 4096);
        assert_eq!(raised(1024, 4096, |_| false), 1024);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_worker_has_what_it_is_given_and_nothing_that_was_left_open() {
        let file = || File::open("/dev/null").unwrap();
        // As a shell leaves one to whatever it starts.
        let left = file().into_raw_fd();
        // SAFETY: it is ours.
        assert_eq!(unsafe { nix::libc::fcntl(left, nix::libc::F_SETFD, 0) }, 0);
        let script = format!("test -e /dev/fd/{MODEL_FD} && test ! -e /proc/self/fd/{left}");
        let shell = WorkerProgram { program: "/bin/sh".into(), args: vec!["-c".into(), script] };
        let files = WorkerFiles {
            model: Some(file()),
            adapters: Vec::new(),
            draft: None,
            projector: None,
            output: None,
            prefixes: None,
            remote: Vec::new(),
        };
        let ended = spawn(&shell, files).unwrap().child.wait().await.unwrap();
        assert!(ended.success() && left > MODEL_FD, "{ended} {left}");
    }
}
