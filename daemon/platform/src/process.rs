//! Child processes: how a worker is started, and what it finds when it wakes. The only place that spawns.
#![expect(unsafe_code, reason = "descriptors are passed to a child by number")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

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

/// The descriptors that a worker is born with.
const SOCKET_FD: i32 = 3;
const MODEL_FD: i32 = 4;
const OUTPUT_FD: i32 = 5;

/// What a worker may read, and what it may write, if anything.
#[derive(Debug)]
pub struct WorkerFiles {
    /// The model.
    pub model: File,
    /// Where it is packed to.
    pub output: Option<File>,
}

impl From<File> for WorkerFiles {
    fn from(model: File) -> Self {
        Self { model, output: None }
    }
}

/// Starts a worker with a socket to it and its open files, an almost empty environment, and nothing else.
/// To be called within a tokio runtime.
///
/// # Errors
/// If the process cannot be made.
pub fn spawn(worker: &WorkerProgram, files: WorkerFiles) -> io::Result<Worker> {
    let (ours, theirs) = UnixStream::pair()?;
    // Above the target numbers, so that neither dup2 overwrites the other's source.
    let socket = above_targets(theirs.into())?;
    let model = above_targets(files.model.into())?;
    let output = files.output.map(|output| above_targets(output.into())).transpose()?;
    let mut wanted = vec![(socket.as_raw_fd(), SOCKET_FD), (model.as_raw_fd(), MODEL_FD)];
    wanted.extend(output.as_ref().map(|output| (output.as_raw_fd(), OUTPUT_FD)));
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
    // SAFETY: between fork and exec only async-signal-safe calls are made: dup2, prctl, getppid.
    unsafe { std::os::unix::process::CommandExt::pre_exec(&mut command, prepare) };
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    Ok(Worker { socket: ours, child })
}

/// Waiting threads of a worker spin for some tens of microseconds and then sleep: without a bound, spinning beside other
/// busy processes costs nearly everything; sleeping at once costs a third of the speed of a box that is otherwise idle.
/// An abort prints no backtrace, as that would start a debugger.
const WORKER_ENVIRONMENT: [(&str, &str); 3] =
    [("GOMP_SPINCOUNT", "10000"), ("GGML_NO_BACKTRACE", "1"), ("LANG", "C.UTF-8")];

fn prepare_child(wanted: &[(i32, i32)], parent: Pid) -> io::Result<()> {
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

/// A copy without close-on-exec at a number of our choice.
fn duplicate(from: i32, to: i32) -> io::Result<()> {
    // SAFETY: plain numbers; a bad one is an error.
    match unsafe { nix::libc::dup2(from, to) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn above_targets(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    let copy = nix::fcntl::fcntl(&descriptor, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(OUTPUT_FD + 1))?;
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// In a worker: the socket and the model file that it was born with. Once.
///
/// # Errors
/// If this process was not started by [`spawn`].
pub fn inherited() -> io::Result<(UnixStream, File)> {
    for descriptor in [SOCKET_FD, MODEL_FD] {
        // SAFETY: only asks; a number that is not open is an error.
        if unsafe { nix::libc::fcntl(descriptor, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    // SAFETY: both are open, were put there for this process by `spawn`, and belong to nobody else in it.
    unsafe { Ok((UnixStream::from_raw_fd(SOCKET_FD), File::from_raw_fd(MODEL_FD))) }
}

/// In a worker: the file that it may write, if it was born with one. Once, and after [`inherited`].
pub fn inherited_output() -> Option<File> {
    // SAFETY: only asks; a number that is not open is an error.
    if unsafe { nix::libc::fcntl(OUTPUT_FD, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) } == -1 {
        return None;
    }
    // SAFETY: it is open. `spawn` put it there, or nobody did: what the daemon has open is closed by exec.
    Some(unsafe { File::from_raw_fd(OUTPUT_FD) })
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
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
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
