//! How much of the processors this process gets, and what nobody uses. From Linux's accounts; elsewhere nothing is known.

use std::time::Duration;

/// What processors did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// Threads of this process ran, all of them together.
    pub ran: Duration,
    /// They could have run, and had no core.
    pub waited: Duration,
    /// Cores, all together, had nothing to do, or work that is nice. Counted in hundredths of a second.
    pub unused: Duration,
}

/// What this process and the machine have had so far; `None` where the system does not say.
/// <https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat>
pub fn time() -> Option<CpuTime> {
    let mut time =
        CpuTime { unused: unused(&std::fs::read_to_string("/proc/stat").ok()?)?, ..Default::default() };
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let path = thread.ok()?.path().join("schedstat");
        // A thread that ended meanwhile has no file.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let (ran, waited) = nanoseconds(&text)?;
        time.ran += ran;
        time.waited += waited;
    }
    Some(time)
}

fn nanoseconds(schedstat: &str) -> Option<(Duration, Duration)> {
    let mut numbers = schedstat.split_whitespace().map(|number| number.parse().map(Duration::from_nanos));
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Of `cpu  user nice system idle iowait …`.
fn unused(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|number| number.parse().ok()).collect();
    let [_user, nice, _system, idle, waiting_for_disks, ..] = ticks[..] else { return None };
    Some(Duration::from_millis((nice + idle + waiting_for_disks) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_accounts_are_read() {
        let nanos = Duration::from_nanos;
        assert_eq!(nanoseconds("3018571 78613 9\n"), Some((nanos(3_018_571), nanos(78_613))));
        assert_eq!(nanoseconds(""), None);
        let stat = "cpu  100 20 300 4000 5 0 6 0 0 0\ncpu0 1 2 3 4 5\n";
        assert_eq!(unused(stat), Some(Duration::from_millis(40_250)));
        assert_eq!(unused("cpu0 1 2 3 4 5\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_computes_has_run() {
        let before = time().unwrap();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(20) {}
        assert!(time().unwrap().ran > before.ran);
    }
}
