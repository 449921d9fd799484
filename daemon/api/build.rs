//! Takes the built page into the executable: a table of its files, each with its compressed forms.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[expect(clippy::disallowed_methods, reason = "what cargo tells a build comes by its environment")]
fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = root.join("../../web/dist");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", dist.display());
    if !dist.join("index.html").is_file() {
        println!("cargo::error=the page has not been built: run scripts/setup, which makes web/dist");
        return;
    }
    let mut files = Vec::new();
    collect(&dist, &mut files);
    files.sort();
    let mut table = String::from("&[\n");
    for file in files.iter().filter(|file| kind(file).is_some()) {
        let path = file.strip_prefix(&dist).unwrap_or(file).to_string_lossy().replace('\\', "/");
        let bytes = |suffix: &str| {
            let packed = PathBuf::from(format!("{}{suffix}", file.display()));
            match packed.is_file() {
                true => format!("Some(include_bytes!({:?}))", packed.display().to_string()),
                false => "None".to_owned(),
            }
        };
        let _infallible = writeln!(
            table,
            "    File {{ path: {:?}, kind: {:?}, plain: include_bytes!({:?}), brotli: {}, gzip: {} }},",
            format!("/{path}"),
            kind(file).unwrap_or_default(),
            file.display().to_string(),
            bytes(".br"),
            bytes(".gz"),
        );
    }
    table.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    if let Err(error) = std::fs::write(out.join("page.rs"), table) {
        println!("cargo::error=the table of the page's files cannot be written: {error}");
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// The media type of a file of the page; `None` for a compressed form of another.
fn kind(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}
