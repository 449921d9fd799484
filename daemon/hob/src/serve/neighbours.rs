//! The box among others on its network: whether it says that it is there, what, and on which interfaces. Saying it is
//! `discovery`'s.

use std::net::SocketAddr;
use std::sync::Arc;

use access::Access;
use discovery::{Announcement, Config, Discovery, Link, Links, Phase, Rules};
use identity::Identity;

use crate::settings::{Announce, NeighbourSettings};

/// Who is announced, and looks for others: a box that serves the network, unless its owner has somebody else do that. One
/// that does not serve the network says nothing there.
pub(super) fn discovery(
    settings: &NeighbourSettings,
    identity: Option<&Identity>,
    access: &Access,
    listens: Vec<SocketAddr>,
) -> Option<Discovery> {
    warn(settings, &listens);
    let identity = identity.filter(|_| settings.announce == Announce::Builtin && !listens.is_empty())?;
    let announcement = Announcement {
        id: *identity.id(),
        listens,
        version: env!("CARGO_PKG_VERSION").into(),
        phase: phase(access),
    };
    Some(Discovery::start(Config { announce: Some(announcement), rules: rules(settings), links: links() }))
}

/// Of what was set and comes to nothing.
fn warn(settings: &NeighbourSettings, listens: &[SocketAddr]) {
    if listens.is_empty() && (settings.route || settings.split) {
        tracing::warn!(
            "lan.route or lan.split is set, and this box does not serve the network: others find no way to it, and it looks for none; \
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
