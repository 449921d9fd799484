//! Names for answers and for parts of them, in every family: nobody else has the same, and nothing can be told from them.

use rand::distr::{Alphanumeric, SampleString};

/// `prefix`, and 24 letters and digits drawn anew.
pub(crate) fn fresh(prefix: &str) -> String {
    let mut id = prefix.to_owned();
    Alphanumeric.append_string(&mut rand::rng(), &mut id, 24);
    id
}
