//! What the box has to do with others on its network: whether it says that it is there, and what it shares with those that it is
//! paired with.

use super::raw;
use super::values::list;

/// The `lan` settings apart from the door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NeighbourSettings {
    /// Whether and by whom the box is announced.
    pub(crate) announce: Announce,
    /// The network interfaces to be announced on, by name or beginning and `*`; those that look like a network, if empty.
    pub(crate) interfaces: Vec<String>,
    /// Those not to be announced on, whatever else is said.
    pub(crate) skip: Vec<String>,
    /// Paired boxes may have this box's models.
    pub(crate) share: bool,
    /// A request may be passed to a paired box.
    pub(crate) route: bool,
    /// A model may be spread over paired boxes: this one lends itself, and asks others to.
    pub(crate) split: bool,
}

/// Who says on the network that the box is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Announce {
    /// Hob itself.
    #[default]
    Builtin,
    /// avahi, by a file of its own. Hob looks for others all the same.
    AvahiFile,
    /// Nobody, and nobody is looked for.
    Off,
}

impl NeighbourSettings {
    pub(super) fn check(raw: &raw::Lan) -> anyhow::Result<Self> {
        let announce = match raw.announce.as_deref() {
            None | Some("builtin" | "on" | "true") => Announce::Builtin,
            Some("avahi-file") => Announce::AvahiFile,
            Some("off" | "false") => Announce::Off,
            Some(other) => {
                anyhow::bail!("setting lan.announce is {other}, it must be builtin, avahi-file or off")
            }
        };
        Ok(Self {
            announce,
            interfaces: list(raw.interfaces.as_deref()),
            skip: list(raw.skip.as_deref()),
            share: raw.share.unwrap_or(true),
            route: chosen("lan.route", raw.route.as_deref(), "neighbours")?,
            split: chosen("lan.split", raw.split.as_deref(), "experimental")?,
        })
    }
}

/// Whether it is that word rather than `off`.
fn chosen(name: &str, given: Option<&str>, word: &str) -> anyhow::Result<bool> {
    match given {
        None | Some("off" | "false") => Ok(false),
        Some(text) if text == word => Ok(true),
        Some(other) => anyhow::bail!("setting {name} is {other}, it must be off or {word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_shared_with_paired_boxes_and_nothing_else_is_unless_the_owner_says_so() {
        let usual = NeighbourSettings::check(&raw::Lan::default()).unwrap();
        assert_eq!(
            (usual.announce, usual.share, usual.route, usual.split),
            (Announce::Builtin, true, false, false)
        );
        let given = |route: &str| {
            NeighbourSettings::check(&raw::Lan { route: Some(route.into()), ..raw::Lan::default() })
        };
        assert!(given("neighbours").unwrap().route);
        let error = given("everywhere").unwrap_err().to_string();
        assert_eq!(error, "setting lan.route is everywhere, it must be off or neighbours");
    }
}
