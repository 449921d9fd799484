//! Models that lie in several files: which part each is, and whether all are there.

use crate::Header;

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

/// As many as names of such files have digits for: `-00001-of-00002`.
const MOST_FILES: u64 = 99_999;

impl Split {
    pub(crate) fn of(header: &Header) -> Option<Self> {
        let count = header.number("split.count").filter(|count| (2..=MOST_FILES).contains(count))?;
        Some(Self {
            number: header.number("split.no")?,
            count,
            tensors: header.number("split.tensors.count").unwrap_or(0),
        })
    }

    /// Whether these are all files of one model, in any order.
    pub fn is_complete<'a>(headers: impl IntoIterator<Item = &'a Header>) -> bool {
        let (mut numbers, mut tensors, mut all) = (Vec::new(), 0, None);
        for header in headers {
            let Some(split) = header.split() else { return false };
            if *all.get_or_insert((split.count, split.tensors)) != (split.count, split.tensors) {
                return false;
            }
            numbers.push(split.number);
            tensors += header.tensors.len() as u64;
        }
        numbers.sort_unstable();
        all.is_some_and(|(count, wanted)| numbers.into_iter().eq(0..count) && tensors == wanted)
    }
}
