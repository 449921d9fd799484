//! Tells the daemon when it was built: the clock of a box that says less has not been set.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Whoever builds the same again gets the same: https://reproducible-builds.org/specs/source-date-epoch
    #[expect(clippy::disallowed_methods, reason = "a build has no other settings")]
    let stated = std::env::var("SOURCE_DATE_EPOCH").ok();
    println!("cargo:rustc-env=HOB_BUILT={}", stated.unwrap_or_else(|| now.to_string()));
}
