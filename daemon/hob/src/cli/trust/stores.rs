//! Where systems and browsers keep whom they trust, and how that is changed. Proven are Debian's store and
//! Chromium's on Linux; the others are written by their documentation, and were not tried yet.

use std::ffi::OsString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use identity::DeviceId;
use platform::{durable, process};

use super::Root;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Install,
    Remove,
}

impl Change {
    /// What was done then.
    pub(super) fn past(self) -> &'static str {
        match self {
            Self::Install => "trusted",
            Self::Remove => "no longer trusted",
        }
    }
}

/// Whose stores there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    MacOs,
    Windows,
}

impl System {
    pub(super) fn here() -> Self {
        match std::env::consts::OS {
            "macos" => Self::MacOs,
            "windows" => Self::Windows,
            _ => Self::Linux,
        }
    }
}

/// One store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Store {
    /// As people know it.
    pub(super) name: String,
    way: Way,
}

/// How it is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// By a file in a folder, and a program that looks at that.
    File { file: PathBuf, update: Call },
    /// By a program that is told what to do.
    Program { install: Call, remove: Call },
}

/// A program and its arguments, of which [`FILE`] is the certificate's file.
type Call = Vec<OsString>;

const FILE: &str = "{certificate}";

/// Folders that are looked at for whom to trust, with the ending that a file must have there: of Fedora, Debian, Arch and SUSE.
const FOLDERS: [(&str, &str, &[&str]); 4] = [
    ("/etc/pki/ca-trust/source/anchors", "pem", &["update-ca-trust", "extract"]),
    ("/usr/local/share/ca-certificates", "crt", &["update-ca-certificates"]),
    ("/etc/ca-certificates/trust-source/anchors", "crt", &["trust", "extract-compat"]),
    ("/usr/share/pki/trust/anchors", "pem", &["update-ca-certificates"]),
];

/// Folders under a home with a browser's store, or with one in each profile.
const CHROME: [&str; 2] = [".pki/nssdb", "snap/chromium/current/.pki/nssdb"];
const FIREFOX: [&str; 3] =
    [".mozilla/firefox", ".config/mozilla/firefox", "snap/firefox/common/.mozilla/firefox"];

/// Those that there are.
pub(super) fn of(system: System, home: &Path, root: &Root) -> Vec<Store> {
    match system {
        System::Linux => linux(Path::new("/"), home, &root.id),
        System::MacOs => vec![macos(home)],
        System::Windows => vec![windows(&root.serial)],
    }
}

fn linux(root: &Path, home: &Path, id: &DeviceId) -> Vec<Store> {
    let folder = FOLDERS.iter().find_map(|(folder, ending, update)| {
        let folder = root.join(folder.trim_start_matches('/'));
        folder.is_dir().then_some((folder, ending, update))
    });
    let system = folder.map(|(folder, ending, update)| Store {
        name: format!("the system's store, {}", folder.display()),
        way: Way::File {
            file: folder.join(format!("hob-{}.{ending}", id.short().to_lowercase())),
            update: update.iter().map(OsString::from).collect(),
        },
    });
    let chrome = CHROME.iter().map(|folder| home.join(folder));
    let firefox =
        FIREFOX.iter().flat_map(|folder| std::fs::read_dir(home.join(folder)).into_iter().flatten());
    let profiles = firefox.flatten().map(|profile| profile.path());
    let browsers = chrome.chain(profiles).filter(|folder| folder.join("cert9.db").is_file());
    system.into_iter().chain(browsers.map(|folder| browser(&folder, id))).collect()
}

/// Chrome's and Firefox's, by NSS's own program.
fn browser(folder: &Path, id: &DeviceId) -> Store {
    let name = format!("Hob {}", id.short());
    let database = format!("sql:{}", folder.display());
    let install = ["certutil", "-A", "-d", &database, "-n", &name, "-t", "C,,", "-a", "-i", FILE];
    let remove = ["certutil", "-D", "-d", &database, "-n", &name];
    Store {
        name: format!("a browser's store, {}", folder.display()),
        way: Way::Program { install: call(&install), remove: call(&remove) },
    }
}

/// The user's own, which asks for their password.
fn macos(home: &Path) -> Store {
    let keychain = home.join("Library/Keychains/login.keychain-db").display().to_string();
    Store {
        name: "the login keychain".to_owned(),
        way: Way::Program {
            install: call(&["security", "add-trusted-cert", "-r", "trustRoot", "-k", &keychain, FILE]),
            remove: call(&["security", "remove-trusted-cert", FILE]),
        },
    }
}

/// The user's own, which asks whether they are sure.
fn windows(serial: &str) -> Store {
    Store {
        name: "this user's trusted root authorities".to_owned(),
        way: Way::Program {
            install: call(&["certutil", "-user", "-addstore", "Root", FILE]),
            remove: call(&["certutil", "-user", "-delstore", "Root", serial]),
        },
    }
}

fn call(words: &[&str]) -> Call {
    words.iter().map(OsString::from).collect()
}

impl Store {
    /// Whether a browser keeps it for itself.
    pub(super) fn is_browsers(&self) -> bool {
        self.name.starts_with("a browser")
    }

    /// `certificate` is a file with the same text.
    ///
    /// # Errors
    /// If this user may not, or the program refuses.
    pub(super) fn apply(&self, change: Change, pem: &str, certificate: &Path) -> anyhow::Result<()> {
        match (&self.way, change) {
            (Way::File { file, .. }, Change::Remove) if !file.exists() => {
                anyhow::bail!("the box was not trusted there")
            }
            (Way::File { file, update }, change) => {
                let done = match change {
                    Change::Install => {
                        durable::write_with(file, pem.as_bytes(), Permissions::from_mode(0o644))
                    }
                    Change::Remove => durable::remove(file),
                };
                done.map_err(|error| not_allowed(error, change))?;
                run(update, certificate)
            }
            (Way::Program { install, .. }, Change::Install) => run(install, certificate),
            (Way::Program { remove, .. }, Change::Remove) => run(remove, certificate),
        }
    }
}

fn not_allowed(error: io::Error, change: Change) -> anyhow::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error.into();
    }
    let verb = match change {
        Change::Install => "install",
        Change::Remove => "uninstall",
    };
    anyhow::anyhow!(
        "only root may change it\nhint: hob trust export > hob-root.pem && sudo hob trust {verb} --root hob-root.pem"
    )
}

fn run(call: &Call, certificate: &Path) -> anyhow::Result<()> {
    let words = call.iter().map(|word| if word == FILE { certificate.as_os_str() } else { word.as_os_str() });
    let words: Vec<_> = words.collect();
    let Some((program, args)) = words.split_first() else { return Ok(()) };
    let shown = program.display();
    let output = process::run(Path::new(program), args).with_context(|| format!("cannot start {shown}"))?;
    let said =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    anyhow::ensure!(output.status.success(), "{shown} failed: {}", said.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> DeviceId {
        DeviceId::of(&rustls::pki_types::CertificateDer::from(&b"a root"[..]))
    }

    #[test]
    fn a_file_goes_where_the_distribution_looks_and_browsers_are_found_by_their_stores() {
        let (root, home) = (tempfile::TempDir::new().unwrap(), tempfile::TempDir::new().unwrap());
        assert_eq!(linux(root.path(), home.path(), &id()), []);
        let folder = root.path().join("usr/local/share/ca-certificates");
        std::fs::create_dir_all(&folder).unwrap();
        for profile in [".pki/nssdb", ".mozilla/firefox/abc.default", ".mozilla/firefox/Crash Reports"] {
            std::fs::create_dir_all(home.path().join(profile)).unwrap();
        }
        for store in [".pki/nssdb/cert9.db", ".mozilla/firefox/abc.default/cert9.db"] {
            std::fs::write(home.path().join(store), "").unwrap();
        }

        let stores = linux(root.path(), home.path(), &id());

        assert_eq!(stores.len(), 3, "{stores:?}");
        let Way::File { file, update } = &stores[0].way else { panic!("{:?}", stores[0]) };
        assert_eq!(file, &folder.join(format!("hob-{}.crt", id().short().to_lowercase())));
        assert_eq!(update, &call(&["update-ca-certificates"]));
        assert!(stores[1].is_browsers() && stores[2].name.contains("abc.default"), "{stores:?}");
    }

    #[test]
    fn each_system_gets_the_certificate_by_its_own_program() {
        let home = Path::new("/Users/a");
        let root = Root { pem: String::new(), id: id(), serial: "2a".to_owned() };
        let words = |system| {
            let Way::Program { install, remove } = of(system, home, &root).remove(0).way else { panic!() };
            [install, remove].map(|call| call.join(std::ffi::OsStr::new(" ")).into_string().unwrap())
        };
        let macos = words(System::MacOs);
        assert_eq!(
            macos[0],
            "security add-trusted-cert -r trustRoot -k /Users/a/Library/Keychains/login.keychain-db {certificate}"
        );
        let windows = words(System::Windows);
        assert_eq!(windows[0], "certutil -user -addstore Root {certificate}");
        assert_eq!(windows[1], "certutil -user -delstore Root 2a");
    }

    #[test]
    fn a_store_is_changed_and_changed_back_and_a_program_that_fails_is_heard() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("hob.crt");
        let store = |update: &[&str]| Store {
            name: "a store".to_owned(),
            way: Way::File { file: file.clone(), update: call(update) },
        };
        store(&["true"]).apply(Change::Install, "PEM", Path::new("/nowhere")).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "PEM");
        store(&["true"]).apply(Change::Remove, "PEM", Path::new("/nowhere")).unwrap();
        assert!(!file.exists());
        let again = store(&["true"]).apply(Change::Remove, "PEM", Path::new("/nowhere"));
        assert!(again.unwrap_err().to_string().contains("was not trusted"));

        let failing = store(&["sh", "-c", "echo no room >&2; exit 1"]);
        let error = failing.apply(Change::Install, "PEM", Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.to_string(), "sh failed: no room");
        let missing = store(&["no-such-program"]).apply(Change::Install, "PEM", Path::new("/nowhere"));
        assert!(missing.unwrap_err().to_string().contains("no-such-program"));
    }
}
