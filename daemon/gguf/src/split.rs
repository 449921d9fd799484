//! Models that lie in several files: which part each is, and whether all are there.

use std::collections::HashSet;

use crate::error::malformed;
use crate::{GgufError, Header};

/// Which part of a model a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// From 0.
    pub number: u64,
    /// Files of the model.
    pub count: u64,
    /// Tensors of all of them.
    pub tensors: u64,
}

impl Split {
    /// `None` also for a count of 0 or 1, which merging and a split into one leave.
    pub(crate) fn of(header: &Header) -> Option<Self> {
        Some(Self {
            count: header.number("split.count").filter(|count| *count > 1)?,
            number: header.number("split.no")?,
            tensors: header.number("split.tensors.count")?,
        })
    }

    /// Whether a file that says to be a part of a model says which.
    pub(crate) fn check(header: &Header) -> Result<(), GgufError> {
        if header.number("split.count").is_none_or(|count| count < 2) {
            return Ok(());
        }
        let Some(split) = Self::of(header) else {
            return Err(malformed(
                "the number of a split file, or of its model's tensors",
                "missing or negative",
            ));
        };
        if split.number >= split.count {
            return Err(malformed(
                "the number of a split file",
                format!("{} of {}", split.number, split.count),
            ));
        }
        if split.tensors < header.tensors.len() as u64 {
            return Err(malformed("the number of a split model's tensors", split.tensors));
        }
        Ok(())
    }

    /// Whether these are all files of one model, in any order, with each tensor in one of them.
    pub fn is_complete<'a>(headers: impl IntoIterator<Item = &'a Header>) -> bool {
        let (mut numbers, mut names, mut all) = (Vec::new(), HashSet::new(), None);
        for header in headers {
            let Some(split) = header.split() else { return false };
            if *all.get_or_insert((split.count, split.tensors)) != (split.count, split.tensors) {
                return false;
            }
            numbers.push(split.number);
            if !header.tensors.iter().all(|tensor| names.insert(&tensor.name)) {
                return false;
            }
        }
        numbers.sort_unstable();
        all.is_some_and(|(count, tensors)| numbers.into_iter().eq(0..count) && tensors == names.len() as u64)
    }
}
