//! Debian's `docker-registry`, the reference of OCI's distribution protocol, on loopback.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{PATIENCE, cache, free_port};

/// A registry with nothing in it; gone when dropped.
pub struct DockerRegistry {
    /// `127.0.0.1:PORT`.
    pub host: String,
    process: Child,
    _folder: TempDir,
}

impl DockerRegistry {
    /// Starts one and waits until it listens.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// One that has what another has.
    pub fn mirroring(url: &str) -> Self {
        Self::start_with(&format!("proxy: {{remoteurl: '{url}'}}\n"))
    }

    #[expect(clippy::disallowed_methods, reason = "tests start the real registry, and wait for its port")]
    fn start_with(more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let host = format!("127.0.0.1:{}", free_port());
        let config = folder.path().join("config.yml");
        let blobs = folder.path().join("registry");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{host}'}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n{more}",
            blobs.display()
        );
        std::fs::write(&config, text).unwrap();
        let started = Command::new(cache().join("tools/bin/docker-registry"))
            .args(["serve", config.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = started.expect("docker-registry is missing: run scripts/setup tests");
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(&host).is_err() {
            assert!(Instant::now() < deadline, "docker-registry does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { host, process, _folder: folder }
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}
