//! How many connections one address of the network's may have, and how many of them before anything was identified on them. It
//! decides by addresses alone; programs on this machine are not counted here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use access::network_of;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Limits;

/// What each address has. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    taken: Arc<Mutex<HashMap<IpAddr, Taken>>>,
    each: usize,
    unidentified: usize,
}

#[derive(Debug)]
struct Taken {
    connections: usize,
    unidentified: Arc<Semaphore>,
}

impl Seats {
    pub(crate) fn within(limits: &Limits) -> Self {
        Self {
            taken: Arc::default(),
            each: limits.connections_per_address,
            unidentified: limits.unauthenticated_per_address.min(Semaphore::MAX_PERMITS),
        }
    }

    /// One for a connection from this address to one of ours; `None` if it has all that it may have.
    pub(crate) fn take(&self, address: IpAddr, ours: IpAddr) -> Option<Seat> {
        let neighbour = neighbour(address, ours);
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(neighbour).or_insert_with(|| Taken {
            connections: 0,
            unidentified: Arc::new(Semaphore::new(self.unidentified)),
        });
        if taken.connections >= self.each {
            return None;
        }
        taken.connections += 1;
        let unidentified = Arc::clone(&taken.unidentified);
        Some(Seat { seats: self.clone(), neighbour, unidentified, waiting: Mutex::new(None) })
    }
}

/// Who is counted as one: elsewhere a customer has a whole network of IPv6 addresses, while in our own everybody has the same.
fn neighbour(address: IpAddr, ours: IpAddr) -> IpAddr {
    let network = network_of(address);
    let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    if link_local || network == network_of(ours) { address.to_canonical() } else { network }
}

/// One connection's, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Seats,
    neighbour: IpAddr,
    unidentified: Arc<Semaphore>,
    /// Held until something was identified.
    waiting: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Seat {
    /// Waits until its address may have one more that nobody was identified on: a program that opens many at once is not to be
    /// turned away for being fast, and each that waits costs no more than its socket.
    pub(crate) async fn admitted(&self) {
        if let Ok(permit) = Arc::clone(&self.unidentified).acquire_owned().await {
            *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
        }
    }

    /// Somebody who may do something was identified.
    pub(crate) fn identified(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = all.get_mut(&self.neighbour) {
            taken.connections -= 1;
            if taken.connections == 0 {
                all.remove(&self.neighbour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const OURS: &str = "fd00:1::1";

    fn take(seats: &Seats, address: &str) -> Option<Seat> {
        seats.take(address.parse().unwrap(), OURS.parse().unwrap())
    }

    #[tokio::test]
    async fn one_address_has_so_many_and_leaves_the_rest_to_others() {
        let limits =
            Limits { connections_per_address: 3, unauthenticated_per_address: 1, ..Limits::default() };
        let seats = Seats::within(&limits);
        let held: Vec<_> = (0..3).map(|_| take(&seats, "192.0.2.1").unwrap()).collect();
        assert!(take(&seats, "192.0.2.1").is_none() && take(&seats, "::ffff:192.0.2.1").is_none());
        assert!(take(&seats, "192.0.2.2").is_some());

        held[0].admitted().await;
        assert!(timeout(Duration::ZERO, held[1].admitted()).await.is_err());
        held[0].identified();
        held[1].admitted().await;

        drop(held);
        assert!(take(&seats, "192.0.2.1").is_some());
        assert!(seats.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn of_ipv6_neighbours_count_one_by_one_and_others_by_their_network() {
        let seats = Seats::within(&Limits { connections_per_address: 1, ..Limits::default() });
        let _far = take(&seats, "2001:db8::1").unwrap();
        assert!(take(&seats, "2001:db8::2").is_none());
        assert!(take(&seats, "2001:db8:0:1::1").is_some());
        let _near = (take(&seats, "fd00:1::2").unwrap(), take(&seats, "fe80::1").unwrap());
        assert!(take(&seats, "fd00:1::3").is_some() && take(&seats, "fe80::2").is_some());
        assert!(take(&seats, "fd00:1::2").is_none());
    }
}
