//! What the compiler cannot see: the arrows between crates, and that each file says what it is.
#![expect(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// One line a crate: it, and the crates of ours that it may use. `hob` may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("gguf", &[]),
    ("platform", &[]),
    ("store", &["protocol", "gguf", "platform"]),
    ("state", &["protocol", "platform"]),
    ("identity", &["platform"]),
    ("engine", &["protocol", "gguf"]),
    ("registry", &["protocol", "store", "identity"]),
    ("discovery", &["identity"]),
    ("access", &["protocol", "state", "platform"]),
    ("scheduler", &["protocol", "store", "platform"]),
    ("backup", &["platform", "state", "store", "identity"]),
    (
        "api",
        &["protocol", "store", "state", "identity", "registry", "discovery", "scheduler", "access", "backup"],
    ),
    ("front", &["identity", "access"]),
    ("behaviour", &["protocol"]),
    ("scripted", &["protocol", "platform", "hob"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "cargo tells what depends on what")]
fn crates_use_only_what_the_picture_allows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        // What only tests need ships with nothing.
        let dependencies = package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"] != "dev");
        let dependencies: Vec<&serde_json::Value> = dependencies.collect();
        let mut used = dependencies.iter().filter_map(|d| d["name"].as_str()).filter(|d| ours.contains(d));
        match ARROWS.iter().find(|(from, _)| *from == name) {
            Some((_, allowed)) => {
                assert!(
                    used.all(|d| allowed.contains(&d)),
                    "{name} uses a crate that is not in the picture of ARCHITECTURE.md"
                );
            }
            None => assert_eq!(name, "hob", "{name} is not in ARROWS"),
        }
        for worker_only in ["llama-cpp-sys-2", "gotmpl"] {
            let foreign = dependencies.iter().any(|d| d["name"] == worker_only);
            assert!(!foreign || name == "engine", "{name} uses {worker_only} past the engine");
        }
    }
}

#[test]
fn each_file_opens_by_saying_what_lives_there() {
    let mut files = Vec::new();
    for folder in ["daemon", "tests"] {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 50, "the files are elsewhere now");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not say what it is", file.display());
    }
}

/// The description knows a type by its family and its name, and of two with one name it would keep one.
#[test]
fn no_two_types_of_a_family_are_described_by_one_name() {
    let families = root().join("daemon/api/src");
    // Described under a name of its own.
    let responses = families.join("openai/responses");
    for family in ["ollama", "openai", "openai/responses", "anthropic"] {
        let folder = families.join(family);
        let mut files = Vec::new();
        rust_files(&folder, &mut files);
        files.retain(|file| folder == responses || !file.starts_with(&responses));
        let mut names = std::collections::BTreeMap::new();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for described in text.split("#[derive(").skip(1) {
                let (derived, rest) = described.split_once(")]").unwrap();
                let item = rest.lines().find_map(|line| {
                    let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
                    line.strip_prefix("struct ").or_else(|| line.strip_prefix("enum "))
                });
                if let (true, Some(item)) = (derived.contains("ToSchema"), item) {
                    let name = item.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
                    let other = names.insert(name.clone(), file.clone());
                    assert!(
                        other.is_none(),
                        "{family}: {name} stands in {} and in {other:?}",
                        file.display()
                    );
                }
            }
        }
        assert!(names.len() > 10, "{family} is elsewhere now");
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
