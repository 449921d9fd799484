//! What the system tells of the daemon that is measured.

use std::fs;
use std::io;

/// A daemon, by its port and its process.
pub(crate) struct Daemon {
    pub(crate) port: u16,
    pub(crate) process: u32,
}

impl Daemon {
    /// Nanoseconds that all of its threads have run.
    pub(crate) fn cpu_ns(&self) -> io::Result<u64> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split(' ').next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(sum)
    }

    /// A line of its status in MiB, such as the most that it ever had in memory.
    pub(crate) fn mib(&self, line: &str) -> io::Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process))?;
        let found = text.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
        let kib = found.and_then(|found| found.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kib.unwrap_or(0.0) / 1024.0)
    }
}
