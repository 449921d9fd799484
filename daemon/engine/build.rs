//! Compiles the C++ shim over llama.cpp's `common/chat.h`, against the very source that `llama-cpp-sys-2` was built from.

use std::path::{Path, PathBuf};

fn main() {
    let source = llama_source();
    println!("cargo:rerun-if-changed=src/shim/chat.cpp");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("src/shim/chat.cpp")
        .include(source.join("common"))
        .include(source.join("include"))
        .include(source.join("ggml/include"))
        .include(source.join("vendor"))
        .warnings(false)
        .compile("hob_shim");
}

/// The binding tells where its CMake packages lie; its CMake cache, beside them, names the source folder.
fn llama_source() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a build script has no other way to be told")]
    let packages =
        std::env::var("DEP_LLAMA_GGML_CMAKE_DIR").expect("llama-cpp-sys-2 sets it for its dependants");
    let built = Path::new(&packages).ancestors().nth(2).expect("OUT_DIR/lib/cmake has two parents");
    let cache = built.join("build/CMakeCache.txt");
    let text = std::fs::read_to_string(&cache)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", cache.display()));
    let home = text.lines().find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="));
    home.expect("every CMake cache names its home directory").into()
}
