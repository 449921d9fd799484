//! A browser on another machine of a box's network, whose certificate store knows the box's root as a person has it do; scripts of
//! tests/browser drive it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::cache;
use crate::lan::Lan;

/// A browser's home.
pub struct Browser {
    home: TempDir,
}

impl Browser {
    /// One that trusts this root, which is in PEM.
    #[expect(clippy::disallowed_methods, reason = "certificates are imported as a person would")]
    pub fn trusting(root: &[u8]) -> Self {
        let home = TempDir::new().unwrap();
        let file = home.path().join("root.pem");
        std::fs::write(&file, root).unwrap();
        let folder = home.path().join(".pki/nssdb");
        std::fs::create_dir_all(&folder).unwrap();
        let store = format!("sql:{}", folder.display());
        for args in [
            vec!["-N", "-d", &store, "--empty-password"],
            vec!["-A", "-d", &store, "-n", "hob", "-t", "C,,", "-i", file.to_str().unwrap()],
        ] {
            let output = Command::new("certutil").args(args).output();
            let output = output.expect("certutil is missing: run scripts/setup tests");
            assert!(output.status.success(), "{output:?}");
        }
        Self { home }
    }

    /// Where its certificate store is.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs a script of tests/browser against a box; what the script asks for is done by `act`.
    pub fn run(&self, lan: &Lan, script: &str, url: &str, mut act: impl FnMut(&str) -> Value) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(script);
        let mut node = lan.command("node");
        node.arg(script).arg(cache().join("node")).arg(url).arg(self.home.path()).arg(pictures());
        let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut input, output) = (node.stdin.take().unwrap(), node.stdout.take().unwrap());
        for line in BufReader::new(output).lines() {
            let line = line.unwrap();
            match line.strip_prefix("ask: ") {
                Some(asked) => writeln!(input, "{}", act(asked)).unwrap(),
                None => {
                    #[expect(clippy::print_stdout, reason = "what a script measured is shown with its test")]
                    {
                        println!("{line}");
                    }
                }
            }
        }
        assert!(node.wait().unwrap().success(), "the script failed; what it said is above");
    }
}

/// Where pictures of the pages go: beside what is built.
pub fn pictures() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("pictures")
}
