//! What a machine measures of itself: how warm its processor is, and how much power it takes, as Linux tells it in small files.
//! Elsewhere, and where those are not ours to read, it is not known. Disks and radios are not asked: some would wake up for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The sensors that were found.
#[derive(Debug, Default)]
pub struct Sensors {
    /// In thousandths of a degree.
    temperatures: Vec<PathBuf>,
    /// Of which each may be of all that the machine takes.
    meters: Vec<Meter>,
    /// Of processors, of which each counts what it took.
    counters: Vec<Counter>,
}

#[derive(Debug)]
enum Meter {
    /// In millionths of a watt.
    Power(PathBuf),
    /// In thousandths of a volt and of an ampere.
    VoltsAndAmperes(PathBuf, PathBuf),
}

/// Energy that was taken, in millionths of a watt second.
#[derive(Debug)]
struct Counter {
    path: PathBuf,
    /// It begins anew after this.
    most: u64,
    last: Mutex<Option<Counted>>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    at: Instant,
    energy: u64,
    watts: Option<f64>,
}

/// What hardware monitors of processors are called, and how the zones of such are.
const PROCESSORS: [&str; 7] =
    ["coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "cpu", "scpi_sensors"];
const ZONES: [&str; 4] = ["cpu", "pkg", "soc", "core"];

/// Those of meters for the whole machine: ACPI's, and chips beside its supply.
const METERS: [&str; 4] = ["power_meter", "ina2", "ina3", "ltc"];

/// Degrees that are none, and watts: a sensor that is not there says such.
const WARMEST: f64 = 150.0;
const COLDEST: f64 = -40.0;
const STRONGEST: f64 = 10_000.0;

/// Over less time than this an average says little.
const LEAST: Duration = Duration::from_millis(500);

impl Sensors {
    /// This machine's.
    pub fn of_this_machine() -> Self {
        Self::below(Path::new("/sys/class"))
    }

    /// Those below a folder that is laid out as `/sys/class` is. What is there is found out once.
    pub fn below(class: &Path) -> Self {
        let monitors = folders(&class.join("hwmon"), "hwmon");
        let mut temperatures = Vec::new();
        let mut meters = Vec::new();
        for monitor in &monitors {
            let name = text(&monitor.join("name")).unwrap_or_default();
            if PROCESSORS.contains(&name.as_str()) {
                temperatures.extend(inputs(monitor, "temp", "_input"));
            }
            if METERS.iter().any(|meter| name.starts_with(meter)) {
                meters.extend(Meter::of(monitor));
            }
        }
        if temperatures.is_empty() {
            temperatures = zones(&class.join("thermal"));
        }
        let counters = folders(&class.join("powercap"), "intel-rapl:");
        let counters = counters.iter().filter_map(|folder| Counter::of(folder)).collect();
        Self { temperatures, meters, counters }
    }

    /// Degrees Celsius of the processor's warmest part. Blocks for a moment.
    pub fn temperature(&self) -> Option<f64> {
        let read = self.temperatures.iter().filter_map(|path| number(path));
        let degrees = read.map(|thousandths| thousandths / 1e3);
        degrees.filter(|degrees| (COLDEST..WARMEST).contains(degrees)).reduce(f64::max)
    }

    /// Watts that the machine takes, or only its processors where nobody measures the whole; an average since the last time that
    /// this was asked, where energy is counted, and so not known the first time. Blocks for a moment.
    pub fn power(&self, now: Instant) -> Option<f64> {
        let plausible = |watts: &f64| (0.0..STRONGEST).contains(watts);
        // Each may be a part of another.
        let measured = self.meters.iter().filter_map(Meter::watts).filter(plausible).reduce(f64::max);
        let counted = || {
            let each = self.counters.iter().filter_map(|counter| counter.watts(now));
            each.reduce(|sum, watts| sum + watts).filter(plausible)
        };
        measured.or_else(counted)
    }
}

impl Meter {
    fn of(monitor: &Path) -> Vec<Self> {
        let average = inputs(monitor, "power", "_average");
        let powers = if average.is_empty() { inputs(monitor, "power", "_input") } else { average };
        if !powers.is_empty() {
            return powers.into_iter().map(Self::Power).collect();
        }
        let channels = (1..=3).map(|channel| {
            let file = |kind| monitor.join(format!("{kind}{channel}_input"));
            (file("in"), file("curr"))
        });
        let there = channels.filter(|(volts, amperes)| volts.exists() && amperes.exists());
        there.map(|(volts, amperes)| Self::VoltsAndAmperes(volts, amperes)).collect()
    }

    fn watts(&self) -> Option<f64> {
        match self {
            Self::Power(path) => Some(number(path)? / 1e6),
            Self::VoltsAndAmperes(volts, amperes) => Some(number(volts)? / 1e3 * (number(amperes)? / 1e3)),
        }
    }
}

impl Counter {
    /// Of a whole processor: its parts are in it. Nothing, if it may not be read.
    fn of(folder: &Path) -> Option<Self> {
        let path = folder.join("energy_uj");
        let whole = text(&folder.join("name"))?.starts_with("package");
        let energy = whole.then(|| text(&path)?.parse::<u64>().ok()).flatten();
        let most = text(&folder.join("max_energy_range_uj")).and_then(|most| most.parse().ok());
        energy.map(|_| Self { path, most: most.unwrap_or(u64::MAX), last: Mutex::default() })
    }

    fn watts(&self, now: Instant) -> Option<f64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*last
            && now.saturating_duration_since(known.at) < LEAST
        {
            return known.watts;
        }
        let energy: u64 = text(&self.path)?.parse().ok()?;
        let watts = last.map(|known| {
            let taken = energy.checked_sub(known.energy);
            let taken =
                taken.unwrap_or_else(|| self.most.saturating_sub(known.energy).saturating_add(energy));
            taken as f64 / 1e6 / (now - known.at).as_secs_f64()
        });
        *last = Some(Counted { at: now, energy, watts });
        watts
    }
}

/// Zones of the processor, or of whatever there is.
fn zones(thermal: &Path) -> Vec<PathBuf> {
    let zones = folders(thermal, "thermal_zone");
    let kind = |zone: &Path| text(&zone.join("type")).unwrap_or_default().to_lowercase();
    let of_processor = |zone: &&PathBuf| ZONES.iter().any(|word| kind(zone).contains(word));
    let processors: Vec<&PathBuf> = zones.iter().filter(of_processor).collect();
    let found = if processors.is_empty() { zones.iter().collect() } else { processors };
    found.into_iter().map(|zone| zone.join("temp")).collect()
}

/// Folders whose names begin so, in order; none, if there is nothing.
fn folders(folder: &Path, begin: &str) -> Vec<PathBuf> {
    children(folder, |name| name.starts_with(begin))
}

/// Files of a monitor by its scheme of names.
fn inputs(monitor: &Path, kind: &str, end: &str) -> Vec<PathBuf> {
    children(monitor, |name| name.starts_with(kind) && name.ends_with(end))
}

fn children(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(&wanted));
    let mut paths: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn number(path: &Path) -> Option<f64> {
    text(path)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `/sys/class` with these files.
    fn class(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::TempDir::new().unwrap();
        for (path, content) in files {
            put(&folder, path, content);
        }
        folder
    }

    fn put(folder: &tempfile::TempDir, path: &str, content: &str) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{content}\n")).unwrap();
    }

    #[test]
    fn the_warmest_part_of_the_processor_counts_and_no_disk() {
        let folder = class(&[
            ("hwmon/hwmon0/name", "nvme"),
            ("hwmon/hwmon0/temp1_input", "90000"),
            ("hwmon/hwmon1/name", "coretemp"),
            ("hwmon/hwmon1/temp1_input", "51000"),
            ("hwmon/hwmon1/temp2_input", "63500"),
            ("hwmon/hwmon1/temp2_max", "100000"),
            ("hwmon/hwmon1/temp3_input", "255000"),
            ("thermal/thermal_zone0/type", "acpitz"),
            ("thermal/thermal_zone0/temp", "70000"),
        ]);
        let sensors = Sensors::below(folder.path());
        assert_eq!(sensors.temperature(), Some(63.5));
        put(&folder, "hwmon/hwmon1/temp2_input", "48000");
        assert_eq!(sensors.temperature(), Some(51.0));
    }

    #[test]
    fn without_a_monitor_a_zone_of_the_processor_counts_and_else_any() {
        let zones = [
            ("thermal/thermal_zone0/type", "acpitz"),
            ("thermal/thermal_zone0/temp", "27800"),
            ("thermal/thermal_zone1/type", "x86_pkg_temp"),
            ("thermal/thermal_zone1/temp", "45000"),
        ];
        let folder = class(&zones);
        assert_eq!(Sensors::below(folder.path()).temperature(), Some(45.0));
        let folder = class(&zones[..2]);
        assert_eq!(Sensors::below(folder.path()).temperature(), Some(27.8));
    }

    #[test]
    fn the_meter_of_the_whole_machine_counts_and_not_its_parts_beside_it() {
        let folder = class(&[
            ("hwmon/hwmon0/name", "ina3221"),
            ("hwmon/hwmon0/in1_input", "5000"),
            ("hwmon/hwmon0/curr1_input", "2400"),
            ("hwmon/hwmon0/in2_input", "5000"),
            ("hwmon/hwmon0/curr2_input", "800"),
            ("hwmon/hwmon1/name", "amdgpu"),
            ("hwmon/hwmon1/power1_average", "99000000"),
        ]);
        assert_eq!(Sensors::below(folder.path()).power(Instant::now()), Some(12.0));
        put(&folder, "hwmon/hwmon2/name", "power_meter");
        put(&folder, "hwmon/hwmon2/power1_average", "31500000");
        assert_eq!(Sensors::below(folder.path()).power(Instant::now()), Some(31.5));
    }

    #[test]
    fn counted_energy_is_power_over_the_time_between_and_counters_begin_anew() {
        let processor = |number: u32, energy: &str| {
            [("name", format!("package-{number}")), ("energy_uj", energy.into())]
                .map(|(file, content)| (format!("powercap/intel-rapl:{number}/{file}"), content))
        };
        let folder = class(&[
            ("powercap/intel-rapl:0/max_energy_range_uj", "262143000000"),
            ("powercap/intel-rapl:0:0/name", "core"),
            ("powercap/intel-rapl:0:0/energy_uj", "5"),
        ]);
        for (path, content) in processor(0, "262138000000").into_iter().chain(processor(1, "0")) {
            put(&folder, &path, &content);
        }
        let sensors = Sensors::below(folder.path());
        let begun = Instant::now();

        assert_eq!(sensors.power(begun), None);
        put(&folder, "powercap/intel-rapl:0/energy_uj", "15000000");
        put(&folder, "powercap/intel-rapl:1/energy_uj", "60000000");
        let later = begun + Duration::from_secs(2);
        assert_eq!(sensors.power(later), Some(40.0), "5 and 15 and 60 watt seconds in two");
        assert_eq!(sensors.power(later + Duration::from_millis(10)), Some(40.0));
        assert_eq!(sensors.power(later + Duration::from_secs(1)), Some(0.0));
    }

    #[test]
    fn a_machine_that_says_nothing_has_none() {
        let folder = class(&[]);
        let sensors = Sensors::below(&folder.path().join("sys"));
        assert_eq!((sensors.temperature(), sensors.power(Instant::now())), (None, None));
    }
}
