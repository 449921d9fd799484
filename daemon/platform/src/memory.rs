//! How much memory there is, and how much of it processes take.
#![expect(unsafe_code, reason = "the allocator is told by number what to keep")]

use crate::group;

/// Bytes that could be had without swapping, of the system and of the control group that this process is in; `None` where
/// the system does not say. What it could drop, and so mapped files, counts as to be had.
pub fn available_bytes() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    kibibytes(&memory, "MemAvailable:").into_iter().chain(group::available_bytes()).min()
}

/// Bytes of RAM that there are for this process, whoever has them now: the system's, or what its control group may have. `None`
/// where the system does not say.
pub fn total_bytes() -> Option<u64> {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    kibibytes(&memory, "MemTotal:").into_iter().chain(group::limit_bytes()).min()
}

/// Has this process give back at once what it has freed. The C library would keep it for the thread that had it: after a
/// few hundred headers of large models, a hundred megabytes. To be called before there are other threads.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use nix::libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, mallopt};
        for (option, value) in [(M_ARENA_MAX, 1), (M_TRIM_THRESHOLD, 1 << 16), (M_MMAP_THRESHOLD, 1 << 16)] {
            // SAFETY: sets a number that the allocator looks at; one that it does not know is refused.
            unsafe { mallopt(option, value) };
        }
    }
}

/// Bytes of a process that are in RAM and are no copy of a file: what the system cannot give to others by forgetting.
/// `None` where it does not say, and for a process that is gone.
pub fn anonymous_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    kibibytes(&status, "RssAnon:")
}

/// Has this process take no more than so many bytes beyond those that it has; more than that it is not given. False where the
/// system does not do so.
pub fn take_at_most(bytes: u64) -> bool {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::resource::{Resource, setrlimit};
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let most = kibibytes(&status, "VmData:").map(|now| now.saturating_add(bytes));
        most.is_some_and(|most| setrlimit(Resource::RLIMIT_DATA, most, most).is_ok())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = bytes;
        false
    }
}

/// Bytes that this process takes: what is in RAM, and the whole of each file that it has mapped and shares, such as a
/// model's weights. Of these the system may have dropped a part, which must come back before they can be computed with.
/// `None` where the system does not say.
pub fn taken_bytes() -> Option<u64> {
    std::fs::read_to_string("/proc/self/smaps").ok().map(|maps| taken(&maps))
}

/// In `smaps`, a line that begins an area says whose it is; lines of figures follow.
fn taken(maps: &str) -> u64 {
    let (mut total, mut whole) = (0, false);
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        if !first.ends_with(':') {
            // Access, offset, device, inode: a shared one of a file.
            let inode = words.nth(2);
            whole = second.ends_with('s') && inode.is_some_and(|inode| inode != "0");
        } else if first == if whole { "Size:" } else { "Rss:" } {
            total += second.parse::<u64>().unwrap_or(0) * 1024;
        }
    }
    total
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_in_bytes() {
        assert_eq!(kibibytes("MemFree: 1 kB\nMemAvailable:   2048 kB\n", "MemAvailable:"), Some(2 << 20));
        assert_eq!(kibibytes("", "MemAvailable:"), None);
    }

    #[test]
    fn a_mapped_file_counts_whole_and_the_rest_as_far_as_it_is_there() {
        let maps = "\
7f48-7f49 rw-p 00000000 00:00 0 
Size:                100 kB
Rss:                  10 kB
7f49-7f50 r--s 001b3000 fe:00 10101700                   /models/blobs/sha256-b1
Size:                 50 kB
KernelPageSize:        4 kB
Rss:                   7 kB
7f50-7f51 rw-s 00000000 00:01 0                          
Size:                 20 kB
Rss:                   1 kB
";
        assert_eq!(taken(maps), (10 + 50 + 1) * 1024);
        assert!(taken_bytes().is_some_and(|bytes| bytes > 100_000));
        assert!(anonymous_bytes(std::process::id()).is_some_and(|bytes| bytes > 1000));
    }
}
