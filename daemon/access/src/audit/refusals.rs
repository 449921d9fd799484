//! How much of what strangers are refused is written down: some a minute for an address, some for all, and how many more there
//! were. So nobody fills the disk, or drives out what the owner did. Pure.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::network_of;

const WINDOW: Duration = Duration::from_secs(60);
/// Written for one address, and for all, in a window.
const MOST_OF_ONE: u32 = 5;
const MOST_OF_ALL: u32 = 20;
/// Addresses that are told apart in a window.
const MOST_ADDRESSES: usize = 1024;

/// One window.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    since: Duration,
    written: u32,
    left_out: u64,
    addresses: HashMap<Option<IpAddr>, Address>,
}

#[derive(Debug, Default)]
struct Address {
    written: u32,
    left_out: u64,
}

/// Whether a refusal is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Write,
    LeaveOut,
}

/// What was not written in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    count: u64,
    /// The address that had most of them, and how many.
    pub(super) most: Option<IpAddr>,
    of_most: u64,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} more in a minute, {} of them from here", self.count, self.of_most)
    }
}

impl Refusals {
    /// Whether the next is written.
    pub(super) fn admit(&mut self, from: Option<IpAddr>) -> Verdict {
        let from = from.map(network_of);
        let room = self.addresses.len() < MOST_ADDRESSES || self.addresses.contains_key(&from);
        let mut beyond = Address { written: MOST_OF_ONE, left_out: 0 };
        let address = if room { self.addresses.entry(from).or_default() } else { &mut beyond };
        if address.written < MOST_OF_ONE && self.written < MOST_OF_ALL {
            address.written += 1;
            self.written += 1;
            return Verdict::Write;
        }
        address.left_out += 1;
        self.left_out += 1;
        Verdict::LeaveOut
    }

    /// What was left out, once the window is over; another begins by itself if nothing was.
    pub(super) fn left_out(&mut self, elapsed: Duration) -> Option<LeftOut> {
        if elapsed.saturating_sub(self.since) < WINDOW {
            return None;
        }
        if self.left_out == 0 {
            self.begin(elapsed);
            return None;
        }
        let most = self.addresses.iter().max_by_key(|(_, address)| address.left_out);
        let (most, of_most) = most.map_or((None, 0), |(from, address)| (*from, address.left_out));
        Some(LeftOut { count: self.left_out, most, of_most })
    }

    /// Begins another window.
    pub(super) fn begin(&mut self, elapsed: Duration) {
        *self = Self { since: elapsed, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Option<IpAddr> {
        Some([192, 168, 1, last].into())
    }

    #[test]
    fn a_flood_leaves_room_for_others_and_is_counted() {
        let mut refusals = Refusals::default();

        let flood = (0..1000).filter(|_| refusals.admit(address(1)) == Verdict::Write).count();
        let other = (0..7).filter(|_| refusals.admit(address(2)) == Verdict::Write).count();
        assert_eq!((flood, other), (5, 5));
        assert_eq!(refusals.left_out(Duration::from_secs(59)), None);

        let left_out = refusals.left_out(Duration::from_secs(60)).unwrap();
        assert_eq!(left_out, LeftOut { count: 997, most: address(1), of_most: 995 });
        refusals.begin(Duration::from_secs(60));
        assert_eq!(refusals.left_out(Duration::from_secs(180)), None);
        assert_eq!(refusals.admit(address(1)), Verdict::Write);
    }

    #[test]
    fn however_many_addresses_there_are_little_is_written_and_remembered() {
        let mut refusals = Refusals::default();

        let written = (0..100_000_u32)
            .filter(|number| refusals.admit(Some(number.to_be_bytes().into())) == Verdict::Write)
            .count();

        assert_eq!(written, MOST_OF_ALL as usize);
        assert!(refusals.addresses.len() <= MOST_ADDRESSES);
        assert_eq!(refusals.left_out(WINDOW).unwrap().count, 99_980);
    }
}
