//! The box among others on its network: whether it says that it is there, what, and on which interfaces. Saying it is
//! `discovery`'s.

use std::net::SocketAddr;
use std::sync::Arc;

use access::Access;
use discovery::{Announcement, Config, Discovery, Link, Links, Phase, Rules};
use identity::Identity;

use crate::settings::{Announce, NeighbourSettings};

/// What a box has to do with mDNS. One that serves the network is announced, unless its owner has somebody else do that, and looks
/// for others; one that does not, and is paired, looks for those. One that is told to says and asks nothing.
pub(super) fn discovery(
    settings: &NeighbourSettings,
    identity: Option<&Identity>,
    access: &Access,
    (listens, is_paired): (Vec<SocketAddr>, bool),
) -> Option<Discovery> {
    warn(settings, &listens);
    let serves = !listens.is_empty();
    if settings.announce == Announce::Off || !(serves || is_paired) {
        return None;
    }
    let announced = identity.filter(|_| serves && settings.announce == Announce::Builtin);
    let announce = announced.map(|identity| Announcement {
        id: *identity.id(),
        listens,
        version: env!("CARGO_PKG_VERSION").into(),
        phase: phase(access),
    });
    let own = identity.map(|identity| *identity.id());
    Some(Discovery::start(Config { own, announce, rules: rules(settings), links: links() }))
}

/// Of what was set and comes to nothing.
fn warn(settings: &NeighbourSettings, listens: &[SocketAddr]) {
    if listens.is_empty() && (settings.route || settings.split) {
        tracing::warn!(
            "lan.route or lan.split is set, and this box does not serve the network: others find no way to it; \
             lan.open = \"on\" opens it"
        );
    }
    if !listens.is_empty() && rules(settings).name_nothing_of(&links()()) {
        let named = settings.interfaces.join(",");
        tracing::warn!(
            "lan.interfaces is {named}, and there is no such interface now: this box is not announced"
        );
    }
}

/// Others are told once somebody owns the box.
pub(super) async fn follow(discovery: Discovery, access: Access) {
    access.claimed().await;
    discovery.set_phase(phase(&access));
}

fn phase(access: &Access) -> Phase {
    if access.is_claimed() { Phase::Ready } else { Phase::Setup }
}

/// What the owner says about interfaces.
pub(crate) fn rules(settings: &NeighbourSettings) -> Rules {
    Rules { only: settings.interfaces.clone(), skip: settings.skip.clone() }
}

/// What the system says about them; nothing where it does not.
pub(crate) fn links() -> Links {
    Arc::new(|| {
        let found = platform::interfaces::interfaces().unwrap_or_default().into_iter();
        found
            .map(|interface| Link {
                name: interface.name,
                addresses: interface.addresses,
                leads_outside: interface.leads_outside,
                has_default_route: interface.has_default_route,
                multicast: interface.multicast,
            })
            .collect()
    })
}
