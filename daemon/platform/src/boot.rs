//! Which run of the machine this is: what was written in an earlier one, and not synced, may be gone.

/// A name that no other run of this machine has; empty where the system has none, which equals no run.
pub fn id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
