//! The one number that all models together may take. Pure.

/// What the operator decided about memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// So many bytes, whatever the system says.
    Bytes(u64),
    /// What is free or already ours, but for this floor, which is left to everybody else.
    Free {
        /// Bytes that stay free.
        floor_bytes: u64,
    },
}

/// What the system said at one moment. A figure that it does not know is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gauge {
    /// To be had without swapping, within our control group. What could be dropped, and so mapped weights, counts as
    /// available.
    pub(crate) available_bytes: Option<u64>,
    /// Of our workers, what is no copy of a file: all of theirs that is not in `available_bytes`.
    pub(crate) ours_bytes: u64,
}

impl MemoryLimit {
    /// Bytes that all models together may take. Without any figure there is no limit.
    pub(crate) fn budget_bytes(self, gauge: Gauge) -> u64 {
        let floor_bytes = match self {
            Self::Bytes(bytes) => return bytes,
            Self::Free { floor_bytes } => floor_bytes,
        };
        match gauge.available_bytes {
            Some(bytes) => bytes.saturating_add(gauge.ours_bytes).saturating_sub(floor_bytes),
            None => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_and_what_is_ours_is_the_budget_but_for_the_floor() {
        let limit = MemoryLimit::Free { floor_bytes: 10 };
        let gauge = Gauge { available_bytes: Some(100), ours_bytes: 30 };
        assert_eq!(limit.budget_bytes(gauge), 120);
        assert_eq!(limit.budget_bytes(Gauge { available_bytes: Some(0), ours_bytes: 3 }), 0);
    }

    #[test]
    fn an_operators_number_is_the_budget_and_without_figures_there_is_none() {
        assert_eq!(MemoryLimit::Bytes(7).budget_bytes(Gauge::default()), 7);
        assert_eq!(MemoryLimit::Free { floor_bytes: 10 }.budget_bytes(Gauge::default()), u64::MAX);
    }
}
