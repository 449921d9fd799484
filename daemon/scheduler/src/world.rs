//! What the scheduler asks of the world: workers, headers of models, and the system's memory. Its tests bring their own.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use platform::memory;
use platform::process::{WorkerFiles, WorkerProgram};
use platform::sensors::Sensors;
use store::gguf::Header;

use crate::budget::Gauge;
use crate::worker::{Connection, Spawn};
use crate::{Load, Machine, ScheduleError, Shape};

/// Reads a model's headers.
type ReadShape = dyn Fn(&Load) -> Result<Shape, ScheduleError> + Send + Sync;

/// Reads the system's figures, given our workers' processes.
type ReadGauge = dyn Fn(&[u32]) -> Gauge + Send + Sync;

/// Reads what the machine tells of itself.
type ReadMachine = dyn Fn() -> Machine + Send + Sync;

pub(crate) struct World {
    pub(crate) spawn: Box<Spawn>,
    /// Blocks on the disk.
    pub(crate) shape: Box<ReadShape>,
    /// Given our workers' processes.
    pub(crate) gauge: Box<ReadGauge>,
    /// Blocks for a moment.
    pub(crate) machine: Box<ReadMachine>,
}

impl World {
    /// The one that is there.
    pub(crate) fn real(program: WorkerProgram) -> Self {
        let spawn = move |files| {
            let worker = platform::process::spawn(&program, files)?;
            Ok(Connection { socket: worker.socket, process: Some(worker.child) })
        };
        let sensors = Sensors::of_this_machine();
        let machine = move || Machine {
            memory_bytes: memory::total_bytes(),
            temperature: sensors.temperature(),
            power: sensors.power(Instant::now()),
        };
        Self {
            spawn: Box::new(spawn),
            shape: Box::new(shape),
            gauge: Box::new(gauge),
            machine: Box::new(machine),
        }
    }
}

/// The files of a worker, opened before it is started, which has no right to open anything.
pub(crate) fn open(load: &Load) -> Result<WorkerFiles, ScheduleError> {
    let adapters = load.adapters.iter().map(|path| open_one(path)).collect::<Result<_, _>>()?;
    let draft = load.draft.as_deref().map(open_one).transpose()?;
    let projector = load.projector.as_deref().map(open_one).transpose()?;
    let model = Some(open_one(&load.weights)?);
    Ok(WorkerFiles { model, adapters, draft, projector, output: None, prefixes: None, remote: Vec::new() })
}

fn open_one(path: &Path) -> Result<File, ScheduleError> {
    File::open(path).map_err(|source| ScheduleError::Open { path: path.into(), source })
}

fn shape(load: &Load) -> Result<Shape, ScheduleError> {
    let header = |path: &Path| {
        let file = open_one(path)?;
        let unread = |source| ScheduleError::Open { path: path.into(), source };
        let bytes = file.metadata().map_err(unread)?.len();
        // In the words of the worker, which would find the same.
        Header::read(&mut BufReader::new(file), bytes).map_err(|error| ScheduleError::LoadFailed {
            model: Box::new(load.name.clone()),
            reason: error.to_string(),
        })
    };
    // A projector's tensors count as an adapter's do.
    let beside = load.adapters.iter().chain(&load.projector);
    let adapters = beside.map(|path| header(path)).collect::<Result<Vec<_>, _>>()?;
    let draft = load.draft.as_deref().map(header).transpose()?;
    let draft = draft.map(|draft| Box::new(Shape::of(&draft, &[])));
    Ok(Shape { draft, ..Shape::of(&header(&load.weights)?, &adapters) })
}

fn gauge(workers: &[u32]) -> Gauge {
    Gauge {
        available_bytes: memory::available_bytes(),
        ours_bytes: workers.iter().filter_map(|process| memory::anonymous_bytes(*process)).sum(),
    }
}
