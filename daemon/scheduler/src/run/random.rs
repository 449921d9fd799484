//! Requests as they come, by a fake clock and against fake workers: the workers that live never take more together than
//! the budget, and no request waits forever.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as Socket;
use std::path::PathBuf;
use std::sync::Mutex as Locked;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use platform::process::WorkerProgram;
use proptest::prelude::*;
use protocol::{
    Done, Event, FinishReason, FromWorker, Input, LoadOptions, ModelFacts, Options, Owner, RequestId,
    ToWorker, frame,
};
use store::Digest;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::budget::Gauge;
use crate::worker::Connection;
use crate::{Errand, MemoryLimit};

const BUDGET_BYTES: u64 = 600 << 20;
const MODELS: usize = 5;
/// More than all requests take one after the other.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A request, and when it comes.
#[derive(Clone, Debug)]
struct Arrival {
    after_ms: u64,
    model: usize,
    /// Of the request; `None` leaves it to the operator.
    context_tokens: Option<u32>,
    keep_alive: Option<KeepAlive>,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Load,
    Unload,
    Answer,
    /// An answer whose asker goes away after so long.
    Abandoned(u64),
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let keep_alive = prop_oneof![
        4 => Just(None),
        2 => (0..60_u64).prop_map(|seconds| Some(KeepAlive::For(Duration::from_secs(seconds)))),
        1 => Just(Some(KeepAlive::Forever)),
    ];
    let what = prop_oneof![
        1 => Just(What::Load),
        1 => Just(What::Unload),
        4 => Just(What::Answer),
        2 => (0..5000_u64).prop_map(What::Abandoned),
    ];
    let context = prop::option::of(prop::sample::select(vec![256, 1024, 4096, 8192, 32_768]));
    (0..2000_u64, 0..MODELS, context, keep_alive, what).prop_map(
        |(after_ms, model, context_tokens, keep_alive, what)| Arrival {
            after_ms,
            model,
            context_tokens,
            keep_alive,
            what,
        },
    )
}

/// From one that is small to one that is nearly all of the budget.
fn shape_of(model: usize) -> Shape {
    Shape {
        weights_bytes: [10, 100, 200, 350, 520][model] << 20,
        k_numbers_per_token: 2 << 10,
        v_numbers_per_token: 2 << 10,
        ..Shape::default()
    }
}

/// The fake workers, and what was wrong with them.
#[derive(Default)]
struct Workers {
    /// Each's socket, and what it takes.
    living: Locked<Vec<(Arc<Socket>, u64)>>,
    wrongs: Locked<Vec<String>>,
}

impl Workers {
    /// One more takes so much. Those whose scheduler hung up take nothing any more.
    fn take(&self, socket: Arc<Socket>, bytes: u64) {
        let mut living = self.living.lock().unwrap();
        living.retain(|(socket, _)| !is_closed(socket));
        living.push((socket, bytes));
        let total: u64 = living.iter().map(|(_, bytes)| bytes).sum();
        if total > BUDGET_BYTES {
            let each: Vec<u64> = living.iter().map(|(_, bytes)| bytes >> 20).collect();
            self.wrongs.lock().unwrap().push(format!("{total} bytes are taken: {each:?} MiB"));
        }
    }
}

/// Whatever it sent before, its scheduler hung up.
fn is_closed(socket: &Socket) -> bool {
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::empty())];
    poll(&mut polled, PollTimeout::ZERO).unwrap();
    polled[0].any() == Some(true)
}

/// A worker that takes a little less than was estimated, and some time for all that it does.
async fn work(theirs: Socket, model: usize, workers: Arc<Workers>) -> io::Result<()> {
    let peeked = Arc::new(theirs.try_clone()?);
    theirs.set_nonblocking(true)?;
    let mut socket = UnixStream::from_std(theirs)?;
    while let Some(news) = hear(&mut socket).await? {
        let answer = match news {
            ToWorker::Load(options) => {
                let estimate = shape_of(model).estimate(&options);
                let taken = estimate.total_bytes() - estimate.process_bytes / 4;
                workers.take(Arc::clone(&peeked), taken);
                pass(Duration::from_millis(500 * (1 + model as u64))).await;
                FromWorker::Loaded(ModelFacts {
                    context_tokens: options.context_tokens,
                    resident_bytes: taken - estimate.compute_bytes,
                    gpu_bytes: 0,
                    parts: None,
                    has_chat_template: false,
                })
            }
            ToWorker::Generate(request, _) => {
                pass(Duration::from_secs(2)).await;
                FromWorker::Done(request, protocol::Said::default(), done())
            }
            ToWorker::Cancel(RequestId(_))
            | ToWorker::Quantize(_)
            | ToWorker::Lend(_)
            | ToWorker::Resume(..)
            | ToWorker::Media(..)
            | ToWorker::Render(..)
            | ToWorker::Detokenize(..)
            | ToWorker::Hold(_)
            | ToWorker::Release(_)
            | ToWorker::Embed(..) => continue,
        };
        socket.write_all(&frame::encode(&answer).unwrap()).await?;
    }
    Ok(())
}

async fn hear(socket: &mut UnixStream) -> io::Result<Option<ToWorker>> {
    let mut prefix = [0; 4];
    if socket.read_exact(&mut prefix).await.is_err() {
        return Ok(None);
    }
    let mut body = vec![0; frame::decode_length(prefix).unwrap()];
    socket.read_exact(&mut body).await?;
    Ok(Some(frame::decode(&body).unwrap()))
}

fn done() -> Done {
    Done {
        reason: FinishReason::Stop,
        prompt_tokens: 1,
        cached_tokens: 0,
        generated_tokens: 1,
        thinking_tokens: 0,
        stop: None,
        prompt_time: Duration::ZERO,
        generate_time: Duration::ZERO,
        context: Vec::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "on the fake clock, it is an event")]
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// A scheduler of fake workers. A model is told by the length of its file.
fn scheduler(workers: &Arc<Workers>) -> Scheduler {
    let living = Arc::clone(workers);
    let spawn = move |files: WorkerFiles| {
        let model = usize::try_from(files.model.as_ref().unwrap().metadata()?.len()).unwrap();
        let (socket, theirs) = Socket::pair()?;
        tokio::spawn(work(theirs, model, Arc::clone(&living)));
        Ok(Connection { socket, process: None })
    };
    let model = |load: &Load| usize::try_from(std::fs::metadata(&load.weights).unwrap().len()).unwrap();
    let world = World {
        spawn: Box::new(spawn),
        shape: Box::new(move |load| Ok(shape_of(model(load)))),
        gauge: Box::new(|_| Gauge::default()),
        machine: Box::new(Default::default),
    };
    let config = Config {
        worker: WorkerProgram { program: PathBuf::new(), args: Vec::new() },
        max_loaded: 3,
        memory: MemoryLimit::Bytes(BUDGET_BYTES),
        // No clock helps whoever waits for room.
        keep_alive: KeepAlive::Forever,
        max_queue: 512,
        load_timeout: Duration::from_secs(60),
        stuck_after: PATIENCE,
        cache_bytes: 0,
        cache_disk: None,
        lenders: None,
    };
    Scheduler::in_world(config, world)
}

fn load(folder: &TempDir, arrival: &Arrival) -> Load {
    let name = format!("model{}", arrival.model);
    Load {
        digest: Digest::of(name.as_bytes()),
        weights: folder.path().join(&name),
        name: name.parse().unwrap(),
        adapters: Vec::new(),
        draft: None,
        projector: None,
        options: LoadOptions {
            purpose: Purpose::Generate,
            context_tokens: arrival.context_tokens.unwrap_or(4096),
            batch_tokens: 512,
            sequences: 4,
            max_step_ms: 200,
            speculation: true,
            cache_types: protocol::CacheTypes::default(),
            cache: CacheOptions::default(),
            threads: None,
            gpu_blocks: None,
            mmap: true,
            template: None,
            remote: Vec::new(),
        },
        least_context: arrival.context_tokens.unwrap_or(512),
        keep_alive: arrival.keep_alive,
        errand: Errand::default(),
    }
}

/// Carries out one request to its end.
async fn carry_out(scheduler: &Scheduler, load: Load, what: What) -> Result<(), ScheduleError> {
    let input = Input::Raw("why?".into());
    let work = Generate { owner: Owner(1), ..Generate::new(input, Options::default()) };
    match what {
        What::Load => scheduler.load(load).await,
        What::Unload => {
            scheduler.unload(&load.name).await;
            Ok(())
        }
        What::Answer => {
            let mut answer = scheduler.generate(load, work).await?;
            assert_eq!(answer.next().await, Some(Event::Done(done())), "a busy worker was taken away");
            Ok(())
        }
        What::Abandoned(after_ms) => {
            let asked =
                async { scheduler.generate(load, work).await?.next().await.map_or(Ok(()), |_| Ok(())) };
            let deadline = Instant::now() + Duration::from_millis(after_ms);
            tokio::time::timeout_at(deadline, asked).await.unwrap_or(Ok(()))
        }
    }
}

/// All arrivals, each in its time; what went wrong.
async fn live_through(arrivals: Vec<Arrival>) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    for model in 0..MODELS {
        File::create(folder.path().join(format!("model{model}"))).unwrap().set_len(model as u64).unwrap();
    }
    let workers = Arc::new(Workers::default());
    let scheduler = scheduler(&workers);
    let mut running = Vec::new();
    for arrival in arrivals {
        pass(Duration::from_millis(arrival.after_ms)).await;
        let (scheduler, load) = (scheduler.clone(), load(&folder, &arrival));
        let carried = async move { carry_out(&scheduler, load, arrival.what).await };
        running.push((tokio::spawn(tokio::time::timeout(PATIENCE, carried)), arrival));
    }
    let mut wrongs = Vec::new();
    for (ended, arrival) in running {
        match ended.await {
            Ok(Ok(Ok(()) | Err(ScheduleError::TooBig { .. } | ScheduleError::TooMany { .. }))) => {}
            // Whoever unloads a model takes it from those who wait for its load, too.
            Ok(Ok(Err(ScheduleError::LoadFailed { reason, .. }))) if reason.contains("was unloaded") => {}
            Ok(Ok(Err(error))) => wrongs.push(format!("{arrival:?}: {error}")),
            Ok(Err(_)) => wrongs.push(format!("{arrival:?} waits forever")),
            Err(error) => wrongs.push(format!("{arrival:?}: {error}")),
        }
    }
    scheduler.shutdown().await;
    wrongs.extend(workers.wrongs.lock().unwrap().drain(..));
    wrongs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_budget_is_never_exceeded_and_nobody_waits_forever(
        arrivals in prop::collection::vec(arrival(), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();

        let wrongs = runtime.unwrap().block_on(live_through(arrivals));

        prop_assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
    }
}
