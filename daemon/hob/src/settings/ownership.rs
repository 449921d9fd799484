//! Whose box it is: its own certificate, a claim that was prepared beforehand, the socket of those who administer it, and what
//! the command line keeps to talk to boxes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use identity::HostName;

use super::raw::{self, Raw};
use super::secret::Secret;
use super::values::list;

/// How the box proves who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    /// In place of what its own authority signs.
    pub(crate) own: Option<CertificateFiles>,
    /// Names by which it is reached, besides those it has by itself.
    pub(crate) names: Vec<HostName>,
}

/// A certificate that somebody else signed, with its chain, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A claim without anybody at the box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimSettings {
    /// Who it belongs to then.
    pub(crate) name: String,
    password_hash_file: PathBuf,
}

impl ClaimSettings {
    /// The hash of their password, as `argon2 SALT -id -k 19456 -t 2 -p 1 -e` prints it. Read by the daemon alone, as it may be
    /// all who can. Whether it is one is `access`'s to say.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn password_hash(&self) -> anyhow::Result<Secret> {
        let path = self.password_hash_file.display();
        let text = std::fs::read_to_string(&self.password_hash_file)
            .with_context(|| format!("setting claim.password_hash_file: cannot read {path}"))?;
        Ok(Secret::from(text.trim().to_owned()))
    }
}

/// The socket by which those administer the box whom the system lets open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminSettings {
    /// Where the daemon makes it.
    pub(crate) socket: PathBuf,
    /// Who may open it beside the daemon's own user.
    pub(crate) group: Option<String>,
    /// Nothing but this one is asked for.
    named: bool,
}

/// A service's.
const SERVICE_SOCKET: &str = "/run/hob/admin.sock";

impl AdminSettings {
    /// Where a client finds it: ours, else a service's, unless it was named.
    pub(crate) fn reachable(&self) -> &Path {
        let service = Path::new(SERVICE_SOCKET);
        if self.named || self.socket.exists() || !service.exists() { &self.socket } else { service }
    }
}

pub(super) fn tls(raw: raw::Tls) -> anyhow::Result<TlsSettings> {
    let own = match (raw.cert, raw.key) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(CertificateFiles {
            certificate: absolute("tls.cert", &certificate)?,
            key: absolute("tls.key", &key)?,
        }),
        (Some(_), None) => anyhow::bail!("tls.cert needs tls.key beside it: the file of its private key"),
        (None, Some(_)) => anyhow::bail!("tls.key needs tls.cert beside it: the file of its certificate"),
    };
    let names = list(raw.names.as_deref());
    let names =
        names.iter().map(|name| name.parse()).collect::<Result<_, _>>().context("setting tls.names")?;
    Ok(TlsSettings { own, names })
}

pub(super) fn claim(raw: raw::Claim) -> anyhow::Result<Option<ClaimSettings>> {
    match (raw.name, raw.password_hash_file) {
        (None, None) => Ok(None),
        (name, Some(file)) => {
            let name = name.unwrap_or_else(|| "admin".into());
            anyhow::ensure!(!name.trim().is_empty(), "setting claim.name is empty");
            let password_hash_file = absolute("claim.password_hash_file", &file)?;
            Ok(Some(ClaimSettings { name, password_hash_file }))
        }
        (Some(_), None) => {
            anyhow::bail!("claim.name needs claim.password_hash_file beside it: the hash of their password")
        }
    }
}

/// Where what lives only as long as the daemon lies.
pub(super) fn runtime_dir(given: Option<&str>, state_dir: &Path) -> PathBuf {
    // Systemd gives several with colons between; the first is the one that its unit names first.
    let first = given.and_then(|folders| folders.split(':').next()).filter(|folder| !folder.is_empty());
    first.map_or_else(|| state_dir.join("run"), PathBuf::from)
}

pub(super) fn admin(raw: &Raw, runtime_dir: &Path) -> anyhow::Result<AdminSettings> {
    let socket = raw.admin.socket.as_deref().map(|path| absolute("admin.socket", path)).transpose()?;
    Ok(AdminSettings {
        named: socket.is_some(),
        socket: socket.unwrap_or_else(|| runtime_dir.join("admin.sock")),
        group: raw.admin.group.clone(),
    })
}

pub(super) fn absolute(name: &str, path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("setting {name}: {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_comes_with_its_key_and_names_are_host_names() {
        let check = |cert: Option<&str>, key: Option<&str>, names: Option<&str>| {
            let (cert, key) = (cert.map(Into::into), key.map(Into::into));
            tls(raw::Tls { cert, key, names: names.map(Into::into) }).map_err(|error| format!("{error:#}"))
        };
        let given = check(Some("/a.pem"), Some("/a.key"), Some("box.home.arpa, ai")).unwrap();
        assert_eq!(given.own.unwrap().certificate, Path::new("/a.pem"));
        assert_eq!(given.names, ["box.home.arpa", "ai"].map(|name| name.parse().unwrap()));
        assert_eq!(check(None, None, None).unwrap(), TlsSettings::default());
        assert!(check(Some("/a.pem"), None, None).unwrap_err().contains("tls.key"));
        assert!(check(None, Some("/a.key"), None).unwrap_err().contains("tls.cert"));
        for name in ["192.168.1.5", "*.lan", "-a", "a..b", "https://a"] {
            assert!(check(None, None, Some(name)).unwrap_err().contains("no host name"), "{name}");
        }
    }

    #[test]
    fn a_prepared_claim_is_by_a_hash_that_is_shown_to_nobody() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("hash");
        let given = claim(raw::Claim { name: None, password_hash_file: Some(file.clone()) });
        let given = given.unwrap().unwrap();
        assert_eq!(given.name, "admin");
        std::fs::write(&file, "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA\n").unwrap();
        let hash = given.password_hash().unwrap();
        assert!(hash.reveal().ends_with("aGFzaA") && !format!("{hash:?}").contains("aGFzaA"));

        std::fs::remove_file(&file).unwrap();
        let error = format!("{:#}", given.password_hash().unwrap_err());
        assert!(error.contains("claim.password_hash_file") && error.contains("cannot read"), "{error}");
        let nameless = raw::Claim { name: Some("ada".into()), password_hash_file: None };
        assert!(claim(nameless).unwrap_err().to_string().contains("claim.password_hash_file"));
        assert!(claim(raw::Claim::default()).unwrap().is_none());
    }

    #[test]
    fn the_socket_lies_with_what_lives_as_long_as_the_daemon_unless_it_is_named() {
        let state = Path::new("/home/a/.local/share/hob");
        assert_eq!(runtime_dir(None, state), state.join("run"));
        assert_eq!(runtime_dir(Some("/run/hob:/run/other"), state), Path::new("/run/hob"));

        let folder = tempfile::TempDir::new().unwrap();
        let ours = admin(&Raw::default(), folder.path()).unwrap();
        assert_eq!(ours.socket, folder.path().join("admin.sock"));
        let mut raw = Raw::default();
        raw.admin.socket = Some("/elsewhere/a.sock".into());
        let named = admin(&raw, folder.path()).unwrap();
        assert_eq!(
            (named.socket.as_path(), named.reachable()),
            (Path::new("/elsewhere/a.sock"), named.socket.as_path())
        );
    }
}
