//! Credentials of registries, from a file in the form of Docker's `config.json`, so that one that is there already serves.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use registry::Credential;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: HashMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    /// `user:password` in base64; Docker leaves it out where a helper program keeps it.
    auth: Option<String>,
}

/// The credentials in a file, by host.
pub(super) fn read(path: &Path) -> anyhow::Result<HashMap<String, Credential>> {
    let text = std::fs::read(path)
        .with_context(|| format!("setting registry.credentials: cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("setting registry.credentials: {}", path.display()))
}

fn parse(text: &[u8]) -> anyhow::Result<HashMap<String, Credential>> {
    let file: File = serde_json::from_slice(text).context("it is not in the form of Docker's config.json")?;
    let mut credentials = HashMap::new();
    for (host, entry) in file.auths {
        let Some(auth) = entry.auth else { continue };
        // The words of neither error are passed on: they could hold the secret.
        let decoded = BASE64_STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = decoded.as_deref().and_then(|pair| pair.split_once(':'));
        let (user, password) =
            pair.with_context(|| format!("the auth of {host} is not user:password in base64"))?;
        let host = host.trim_start_matches("https://").trim_end_matches('/').to_owned();
        credentials.insert(host, Credential { user: user.into(), password: password.into() });
    }
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_file_is_read_and_its_secrets_stay_out_of_errors() {
        let file =
            br#"{"auths": {"https://registry.example/": {"auth": "YWRhOnNlY3JldDox"}, "kept.example": {}}}"#;
        let credentials = parse(file).unwrap();
        assert_eq!(credentials.len(), 1);
        let ada = &credentials["registry.example"];
        assert_eq!((ada.user.as_str(), ada.password.as_str()), ("ada", "secret:1"));

        let broken = parse(br#"{"auths": {"a": {"auth": "planted"}}}"#).unwrap_err();
        assert!(!format!("{broken:#}").contains("planted"), "{broken:#}");
    }
}
