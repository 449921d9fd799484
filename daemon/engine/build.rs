//! Compiles what of C++ the binding leaves out, against the very source that `llama-cpp-sys-2` was built from: the shims over
//! llama.cpp's `common/chat.h` and `src/llama-ext.h`, and ggml's RPC with a transport of our own. Tells the engine what that source is.

use std::path::{Path, PathBuf};

fn main() {
    let source = llama_source();
    println!("cargo:rerun-if-changed=src/shim");
    let shim = || {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").include(source.join("ggml/include")).warnings(false);
        build
    };
    shim()
        .file("src/shim/chat.cpp")
        .file("src/shim/memory.cpp")
        .include(source.join("common"))
        .include(source.join("include"))
        .include(source.join("src"))
        .include(source.join("vendor"))
        .compile("hob_shim");
    let rpc = source.join("ggml/src/ggml-rpc");
    shim()
        .file(rpc.join("ggml-rpc.cpp"))
        .file("src/shim/remote.cpp")
        .include(source.join("ggml/src"))
        .include(&rpc)
        .compile("hob_remote");
    println!("cargo:rustc-env=HOB_ENGINE_BUILD={}", build(&source));
}

/// What two processes must have in common that speak ggml's RPC with each other: the source, as its version and the hash of
/// what goes over the wire, and for what it was compiled.
fn build(source: &Path) -> String {
    let binding = source.parent().and_then(Path::file_name).expect("the source lies in the binding's folder");
    let spoken = ["ggml/include/ggml.h", "ggml/include/ggml-rpc.h", "ggml/src/ggml-rpc/ggml-rpc.cpp"];
    let bytes = spoken.iter().flat_map(|name| {
        let path = source.join(name);
        println!("cargo:rerun-if-changed={}", path.display());
        std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    });
    // FNV-1a: it tells builds apart that are meant well, and guards nothing.
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{}, {hash:016x}, {}", binding.display(), variable("TARGET"))
}

/// The binding tells where its CMake packages lie; its CMake cache, beside them, names the source folder.
fn llama_source() -> PathBuf {
    let packages = variable("DEP_LLAMA_GGML_CMAKE_DIR");
    let built = Path::new(&packages).ancestors().nth(2).expect("OUT_DIR/lib/cmake has two parents");
    let cache = built.join("build/CMakeCache.txt");
    let text = std::fs::read_to_string(&cache)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", cache.display()));
    let home = text.lines().find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="));
    home.expect("every CMake cache names its home directory").into()
}

fn variable(name: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "a build script has no other way to be told")]
    std::env::var(name).unwrap_or_else(|_| panic!("cargo and llama-cpp-sys-2 set {name}"))
}
