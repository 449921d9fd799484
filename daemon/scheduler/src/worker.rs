//! One worker: its process and its socket. Who waits for it is the `link`'s to know.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use platform::process::WorkerFiles;
use protocol::{
    FrameError, FromWorker, GenerateError, LoadOptions, ModelFacts, Quantization, ToWorker, frame,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::lenders::Lost;
use crate::link::Link;

/// A worker that was started: a socket, and the process at its other end. Tests have none.
pub(crate) struct Connection {
    pub(crate) socket: std::os::unix::net::UnixStream,
    pub(crate) process: Option<Child>,
}

/// Starts a worker on open files.
pub(crate) type Spawn = dyn Fn(WorkerFiles) -> io::Result<Connection> + Send + Sync;

/// A loaded worker; [`Serving::run`] must be driven for it to answer.
pub(crate) struct Serving {
    pub(crate) link: Arc<Link>,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    outgoing: UnboundedReceiver<ToWorker>,
    process: Option<Child>,
}

/// Why a worker did not come to serve.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// Its process ended without a word, or said nothing for too long.
    pub(crate) crashed: bool,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { reason, crashed: false }
    }
}

/// Sends the load and waits for its end; `Err` says why there is none. `patience` is how long the worker may be silent.
pub(crate) async fn load(
    connection: Connection,
    options: LoadOptions,
    patience: Duration,
) -> Result<(Serving, ModelFacts), Failure> {
    let gone = |error: io::Error| format!("the worker's socket failed: {error}");
    connection.socket.set_nonblocking(true).map_err(gone)?;
    let (reader, mut writer) = UnixStream::from_std(connection.socket).map_err(gone)?.into_split();
    let mut reader = BufReader::new(reader);
    let hello = frame::encode(&ToWorker::Load(options)).map_err(|error| error.to_string())?;
    writer.write_all(&hello).await.map_err(gone)?;
    let crashed = |reason| Failure { reason, crashed: true };
    loop {
        let news = tokio::time::timeout(patience, read(&mut reader)).await;
        match news.map_err(|_| {
            crashed(format!("timed out waiting for the worker, it said nothing for {patience:?}"))
        })? {
            Ok(Some(FromWorker::Loading(_))) => {}
            Ok(Some(FromWorker::Loaded(facts))) => {
                let (link, outgoing) = Link::new(facts.context_tokens);
                let link = Arc::new(link);
                return Ok((Serving { link, reader, writer, outgoing, process: connection.process }, facts));
            }
            Ok(Some(FromWorker::LoadFailed { reason })) => return Err(reason.into()),
            Ok(Some(_)) => return Err("the worker answered before it had loaded".to_owned().into()),
            Ok(None) | Err(_) => return Err(crashed(last_words(connection.process).await)),
        }
    }
}

/// Has the worker pack its model, and waits until it has. `progress` hears values from 0 to 1.
pub(crate) async fn quantize(
    connection: Connection,
    to: Quantization,
    patience: Duration,
    progress: &mut (dyn FnMut(f32) + Send),
) -> Result<(), String> {
    let gone = |error: io::Error| format!("the worker's socket failed: {error}");
    connection.socket.set_nonblocking(true).map_err(gone)?;
    let (reader, mut writer) = UnixStream::from_std(connection.socket).map_err(gone)?.into_split();
    let mut reader = BufReader::new(reader);
    let job = frame::encode(&ToWorker::Quantize(to)).map_err(|error| error.to_string())?;
    writer.write_all(&job).await.map_err(gone)?;
    loop {
        let news = tokio::time::timeout(patience, read(&mut reader)).await;
        match news.map_err(|_| format!("the worker said nothing for {patience:?}"))? {
            Ok(Some(FromWorker::Loading(part))) => progress(part),
            Ok(Some(FromWorker::Quantized)) => return Ok(()),
            Ok(Some(FromWorker::LoadFailed { reason })) => return Err(reason),
            Ok(Some(_)) => return Err("the worker answered something else".into()),
            Ok(None) | Err(_) => return Err(last_words(connection.process).await),
        }
    }
}

/// A worker that computes for another box.
pub(crate) struct Lender {
    /// Nothing more is said on it: its end is that of the process.
    socket: UnixStream,
    process: Option<Child>,
}

/// Has the worker lend this box, and waits until it does.
pub(crate) async fn lend(
    connection: Connection,
    lending: &ToWorker,
    patience: Duration,
) -> Result<Lender, String> {
    let gone = |error: io::Error| format!("the worker's socket failed: {error}");
    connection.socket.set_nonblocking(true).map_err(gone)?;
    let mut socket = BufReader::new(UnixStream::from_std(connection.socket).map_err(gone)?);
    let lending = frame::encode(lending).map_err(|error| error.to_string())?;
    socket.write_all(&lending).await.map_err(gone)?;
    let news = tokio::time::timeout(patience, read(&mut socket)).await;
    match news.map_err(|_| format!("the worker said nothing for {patience:?}"))? {
        Ok(Some(FromWorker::Lending)) => {
            Ok(Lender { socket: socket.into_inner(), process: connection.process })
        }
        Ok(Some(FromWorker::LoadFailed { reason })) => Err(reason),
        Ok(Some(_)) => Err("the worker answered something else".into()),
        Ok(None) | Err(_) => Err(last_words(connection.process).await),
    }
}

impl Lender {
    /// Comes when it has nobody to compute for any more, or died over it.
    pub(crate) async fn ended(&mut self) {
        // It says no more: whatever comes is its end.
        let _end = self.socket.read_u8().await;
    }

    /// Ends it, and waits until it has.
    pub(crate) async fn kill(self) {
        if let Some(mut process) = self.process {
            // Already dead is as good.
            let _killed = process.kill().await;
        }
    }
}

async fn last_words(process: Option<Child>) -> String {
    let Some(mut process) = process else { return "the worker hung up".into() };
    match tokio::time::timeout(Duration::from_secs(5), process.wait()).await {
        Ok(Ok(status)) => format!("the worker process has terminated: {status}; its log says more"),
        _ => "the worker hung up".into(),
    }
}

/// How long a worker that is told to go may take.
const FAREWELL: Duration = Duration::from_secs(3);

impl Serving {
    /// Carries frames both ways until the worker ends or is stopped. Then `note` is told how, and what still waits is
    /// failed, in this order: whoever asks again finds it noted.
    pub(crate) async fn run(mut self, stuck_after: Duration, lost: Lost, note: impl FnOnce(&Ended)) {
        let mut ended = tokio::select! {
            // What it said to its end comes first.
            biased;
            ended = self.carry(stuck_after) => ended,
            () = lost.any() => Ended::Died("a box that had a part of its model is gone".into()),
        };
        let Self { link, reader, writer, mut process, .. } = self;
        drop((reader, writer));
        if let (Ended::Died(how), None) = (&mut ended, lost.one())
            && let Some(status) = farewell(&mut process).await
        {
            *how = format!("its process ended: {status}");
        }
        if let (Ended::Died(_), Some(lender)) = (&ended, lost.one()) {
            ended = Ended::Lost { lender };
        }
        note(&ended);
        link.fail_all(&match &ended {
            Ended::Stuck => GenerateError::WorkerStuck,
            Ended::Lost { lender } => GenerateError::LenderLost { lender: lender.clone() },
            Ended::Died(_) | Ended::Stopped => GenerateError::WorkerDied,
        });
        if ended == Ended::Stopped {
            farewell(&mut process).await;
        }
        if let Some(process) = &mut process {
            // Already dead is as good.
            let _killed = process.kill().await;
        }
    }

    /// Until the worker ends, is stopped, or is found stuck: it has requests and said nothing for `stuck_after`.
    async fn carry(&mut self, stuck_after: Duration) -> Ended {
        let Self { link, reader, writer, outgoing, .. } = self;
        let incoming = async {
            loop {
                match heard(reader, link, stuck_after).await {
                    Some(Ok(Some(said))) => {
                        if !link.take_in(said) {
                            return Ended::Died("it said what only a loading worker says".into());
                        }
                    }
                    Some(Ok(None)) => return Ended::Died("it hung up".into()),
                    Some(Err(error)) => return Ended::Died(error.to_string()),
                    None => return Ended::Stuck,
                }
            }
        };
        let sending = async {
            while let Some(message) = outgoing.recv().await {
                match frame::encode(&message) {
                    Ok(bytes) if writer.write_all(&bytes).await.is_err() => break,
                    Ok(_) => {}
                    Err(FrameError::TooLong(bytes)) => link.refuse(&message, bytes),
                    Err(error) => return Ended::Died(error.to_string()),
                }
            }
            // The reader sees the end as well, and knows what was said before it.
            std::future::pending().await
        };
        tokio::select! {
            ended = incoming => ended,
            ended = sending => ended,
            () = link.stop.cancelled() => Ended::Stopped,
        }
    }
}

/// Waits a little for a process that sees that nobody listens, and puts away what it has computed.
async fn farewell(process: &mut Option<Child>) -> Option<ExitStatus> {
    tokio::time::timeout(FAREWELL, process.as_mut()?.wait()).await.ok()?.ok()
}

/// How a worker came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to go.
    Stopped,
    /// It went by itself: how.
    Died(String),
    /// It had to be killed.
    Stuck,
    /// A box that had a part of its model is gone, without which it cannot be.
    Lost { lender: String },
}

impl Ended {
    /// What happened, if that was a crash.
    pub(crate) fn crash(&self) -> Option<&str> {
        match self {
            Self::Stopped | Self::Lost { .. } => None,
            Self::Died(how) => Some(how),
            Self::Stuck => Some("its process did not respond any more"),
        }
    }
}

/// The next that the worker says; `None` if somebody waits and it says nothing for so long.
async fn heard(
    reader: &mut BufReader<OwnedReadHalf>,
    link: &Link,
    stuck_after: Duration,
) -> Option<Result<Option<FromWorker>, FrameError>> {
    let mut reading = std::pin::pin!(read(reader));
    let mut silent_since = Instant::now();
    loop {
        match tokio::time::timeout_at(silent_since + stuck_after, &mut reading).await {
            Ok(said) => return Some(said),
            Err(_) => match link.awaited_since() {
                Some(since) if since <= silent_since => return None,
                // While nobody waited, it had nothing to say.
                since => silent_since = since.unwrap_or_else(Instant::now),
            },
        }
    }
}

async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Result<Option<FromWorker>, FrameError> {
    let mut prefix = [0; 4];
    match socket.read_exact(&mut prefix).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other.map_err(FrameError::Io)?,
    };
    let mut body = vec![0; frame::decode_length(prefix)?];
    socket.read_exact(&mut body).await.map_err(FrameError::Io)?;
    frame::decode(&body).map(Some)
}
