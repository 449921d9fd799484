//! What the control groups around this process still have to give: services and containers are limited by them.

use std::path::Path;

/// The two versions of control groups say the same in other words.
struct Version {
    root: &'static str,
    limit: &'static str,
    used: &'static str,
    /// Copies of files in `memory.stat`, mapped ones too, that the system drops rather than let the group end.
    droppable: &'static [&'static str],
}

const TWO: Version = Version {
    root: "/sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    droppable: &["inactive_file", "active_file", "slab_reclaimable"],
};

const ONE: Version = Version {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    droppable: &["total_inactive_file", "total_active_file"],
};

/// Bytes that the narrowest group around this process could still have in RAM; `None` without a limit.
pub(crate) fn available_bytes() -> Option<u64> {
    least(Version::available)
}

/// Bytes that the narrowest group around this process may have in RAM; `None` without a limit.
pub(crate) fn limit_bytes() -> Option<u64> {
    least(Version::limit)
}

fn least(of: impl Fn(&Version, &Path, &str) -> Option<u64>) -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let by = |version: &Version, group: Option<&str>| of(version, Path::new(version.root), group?);
    [by(&TWO, group_of_two(&groups)), by(&ONE, group_of_one(&groups))].into_iter().flatten().min()
}

fn group_of_two(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::/"))
}

fn group_of_one(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| {
        let (controllers, group) = line.split_once(':')?.1.split_once(":/")?;
        controllers.split(',').any(|controller| controller == "memory").then_some(group)
    })
}

impl Version {
    /// In a container, a group's own folder may be out of sight, and its limit be found at the root.
    fn available(&self, root: &Path, group: &str) -> Option<u64> {
        least_around(root, group, |folder| self.available_in(folder))
    }

    fn limit(&self, root: &Path, group: &str) -> Option<u64> {
        least_around(root, group, |folder| self.limit_in(folder))
    }

    fn limit_in(&self, folder: &Path) -> Option<u64> {
        // Without a limit it says "max".
        std::fs::read_to_string(folder.join(self.limit)).ok()?.trim().parse().ok()
    }

    fn available_in(&self, folder: &Path) -> Option<u64> {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let limit = self.limit_in(folder)?;
        let used = read(self.used).and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
        let statistics = read("memory.stat").unwrap_or_default();
        let droppable: u64 = self.droppable.iter().filter_map(|name| figure(&statistics, name)).sum();
        Some(limit.saturating_sub(used.saturating_sub(droppable)))
    }
}

fn least_around(root: &Path, group: &str, of: impl Fn(&Path) -> Option<u64>) -> Option<u64> {
    let folder = root.join(group);
    let around = folder.ancestors().take_while(|folder| folder.starts_with(root));
    around.filter_map(of).min()
}

fn figure(statistics: &str, name: &str) -> Option<u64> {
    let of_name = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    statistics.lines().find_map(of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, version: &Version, limit: &str, used: u64, statistics: &str) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(version.limit), format!("{limit}\n")).unwrap();
        std::fs::write(folder.join(version.used), format!("{used}\n")).unwrap();
        std::fs::write(folder.join("memory.stat"), statistics).unwrap();
    }

    #[test]
    fn the_narrowest_group_around_a_process_bounds_it() {
        let root = tempfile::TempDir::new().unwrap();
        let group = group_of_two("1:name=systemd:/x\n0::/system.slice/hob.service\n").unwrap();
        let slice = root.path().join("system.slice");
        write(&slice, &TWO, "max", 500, "");
        write(&slice.join("hob.service"), &TWO, "max", 400, "");
        assert_eq!(TWO.available(root.path(), group), None);

        write(&slice, &TWO, "4096", 500, "");
        assert_eq!(TWO.available(root.path(), group), Some(4096 - 500));

        write(&slice.join("hob.service"), &TWO, "1000", 400, "");
        assert_eq!(TWO.available(root.path(), group), Some(600));
        assert_eq!(TWO.limit(root.path(), group), Some(1000));
    }

    #[test]
    fn copies_of_files_are_there_to_be_had_and_what_only_memory_holds_is_not() {
        let root = tempfile::TempDir::new().unwrap();
        let statistics =
            "anon 100\nfile 650\nshmem 50\ninactive_file 400\nactive_file 200\nslab_reclaimable 30\n";
        write(root.path(), &TWO, "1000", 900, statistics);
        assert_eq!(TWO.available(root.path(), ""), Some(1000 - 900 + 400 + 200 + 30));
    }

    #[test]
    fn the_first_version_is_read_too_and_from_inside_a_container() {
        let root = tempfile::TempDir::new().unwrap();
        let group = group_of_one("9:name=systemd:/\n5:cpu,memory:/docker/abc\n0::/\n").unwrap();
        assert_eq!(group, "docker/abc");
        let statistics = "inactive_file 1\nactive_file 2\ntotal_inactive_file 40\ntotal_active_file 20\n";

        write(root.path(), &ONE, "1000", 300, statistics);

        assert_eq!(ONE.available(root.path(), group), Some(1000 - 300 + 40 + 20));
        assert_eq!(group_of_one("9:name=systemd:/\n0::/\n"), None);
    }
}
