//! Where a box is reached, as people write it. Pure.

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no address of a box; write hob-abcd.local, or 192.168.1.5:11443")]
pub struct InvalidAddress(pub String);

impl std::str::FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(_text: &str) -> Result<Self, InvalidAddress> {
        todo!()
    }
}

impl Address {
    /// A name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// By default 11443.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `https://host:port`.
    pub fn url(&self) -> String {
        todo!()
    }
}
