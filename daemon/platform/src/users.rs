//! Users of this machine and their groups, as the system knows them. People who sign in to the box are `access`'s.

use std::io;

/// The number of a group of users; `None` where there is no such group.
///
/// # Errors
/// If the system does not tell.
pub fn group(name: &str) -> io::Result<Option<u32>> {
    Ok(nix::unistd::Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

/// What the user is called who runs this program; `None` where the system has no name for them.
pub fn own_name() -> Option<String> {
    Some(nix::unistd::User::from_uid(nix::unistd::getuid()).ok()??.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_number_if_there_is_one() {
        assert_eq!(group("root").unwrap(), Some(0));
        assert_eq!(group("nobody-is-in-this-one").unwrap(), None);
    }
}
