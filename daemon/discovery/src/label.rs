//! What a box is called on its network, before `.local`. Pure.

use identity::DeviceId;

/// Which of its names it goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// The one that its certificates are for.
    Own,
    /// One that is longer, as somebody else answers to its own. A box never takes a number, which could be another's name: there
    /// are digits in IDs.
    Longer,
}

impl Label {
    pub(crate) fn of(self, id: &DeviceId) -> String {
        match self {
            Self::Own => id.label(),
            Self::Longer => {
                let letters = id.short().replace('-', "").to_ascii_lowercase();
                format!("hob-{}", &letters[..8])
            }
        }
    }

    /// What its owner has to know of that.
    pub(crate) fn trouble(self, id: &DeviceId) -> Option<String> {
        (self == Self::Longer).then(|| {
            format!(
                "another machine on the network answers to {own}.local, which this box's certificates are for; it is found as \
                 {longer}, and browsers reach it by its address",
                own = Self::Own.of(id),
                longer = self.of(id),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announcement::tests::id;

    #[test]
    fn the_longer_name_begins_like_the_own_one_and_is_the_boxs_alone() {
        let (one, other) = (id("a box"), id("another"));
        let (own, longer) = (Label::Own.of(&one), Label::Longer.of(&one));
        assert!(longer.starts_with(&own) && longer.len() == own.len() + 4, "{own} {longer}");
        assert_ne!(longer, Label::Longer.of(&other));
        assert_eq!(Label::Own.trouble(&one), None);
        assert!(Label::Longer.trouble(&one).unwrap().contains(&longer));
    }
}
