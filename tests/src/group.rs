//! A control group with a limit on memory, as a service or a container has one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

/// Gone when dropped, if nothing runs in it any more.
pub struct Group {
    folder: PathBuf,
    files: &'static Files,
}

/// What the two versions of control groups call the same.
struct Files {
    root: &'static str,
    limit: &'static str,
    peak: &'static str,
    /// Has a line `oom_kill N`.
    events: &'static str,
}

const TWO: Files =
    Files { root: "/sys/fs/cgroup", limit: "memory.max", peak: "memory.peak", events: "memory.events" };

const ONE: Files = Files {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    peak: "memory.max_usage_in_bytes",
    events: "memory.oom_control",
};

impl Group {
    /// One that may have so many bytes in RAM. `None` where this process may make none; standard error says why.
    pub fn limited_to(bytes: u64) -> Option<Self> {
        [&TWO, &ONE].into_iter().find_map(|files| {
            let made = Self::make(files, bytes);
            made.inspect_err(|error| say(&format!("no control group in {}: {error}", files.root))).ok()
        })
    }

    fn make(files: &'static Files, bytes: u64) -> std::io::Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let root = Path::new(files.root);
        let controllers = root.join("cgroup.subtree_control");
        if controllers.exists() {
            std::fs::write(controllers, "+memory")?;
        }
        let folder =
            root.join(format!("hob-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir(&folder)?;
        let group = Self { folder, files };
        // Nothing is created in there that the system did not put there.
        std::fs::OpenOptions::new().write(true).open(group.folder.join(files.limit))?;
        std::fs::write(group.folder.join(files.limit), bytes.to_string())?;
        Ok(group)
    }

    /// The file into which a process that wants to be in it writes its number.
    pub fn entrance(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// The most that it had in RAM; `None` on a system too old to tell.
    pub fn peak_bytes(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.folder.join(self.files.peak)).ok()?;
        Some(text.trim().parse().unwrap())
    }

    /// Processes that the system killed as it had no room for them.
    pub fn killed(&self) -> u64 {
        let text = std::fs::read_to_string(self.folder.join(self.files.events)).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.unwrap().parse().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir(&self.folder) {
            say(&format!("{} stays: {error}", self.folder.display()));
        }
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests wants to know")]
fn say(text: &str) {
    eprintln!("{text}");
}
