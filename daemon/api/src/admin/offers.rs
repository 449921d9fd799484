//! `POST /pair/proof`: whether this box is the one that brings a code just now, and that key with it. Who it is, its certificate
//! says; that is not enough, as anybody can lead a connection to it and bring its root, which is no secret. The other end is
//! `invitations`'.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access::{Origin, Way};
use axum::Extension;
use http::StatusCode;
use identity::DeviceId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{errors::Refusal, typed::Typed};
use crate::{Api, body::STRANGERS_BYTES};

/// What is asked about, as a hash: the key, and whom it is offered to. Without that a box which is being paired could pass the key on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Offer {
    of: String,
}

impl Offer {
    pub(super) fn new(key: &str, to: &DeviceId) -> Self {
        let hash = Sha256::new().chain_update(key).chain_update("\n").chain_update(to.to_string()).finalize();
        Self { of: hash.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

/// What this box offers to those to which it is bringing codes. A clone is of the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offers(Arc<Mutex<Vec<Offer>>>);

/// An offer that stands until this is dropped.
pub(super) struct Standing {
    offers: Offers,
    offer: Offer,
}

impl Offers {
    pub(super) fn make(&self, offer: Offer) -> Standing {
        self.lock().push(offer.clone());
        Standing { offers: self.clone(), offer }
    }

    fn has(&self, offer: &Offer) -> bool {
        self.lock().contains(offer)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Offer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        let mut standing = self.offers.lock();
        if let Some(at) = standing.iter().position(|offer| *offer == self.offer) {
            standing.swap_remove(at);
        }
    }
}

/// `POST /pair/proof`. There is nothing to be told but yes to whoever knows the key, and that no other key is known here.
pub(super) async fn prove(
    api: Api,
    origin: Option<Extension<Origin>>,
    Typed(offer): Typed<Offer, STRANGERS_BYTES>,
) -> Result<StatusCode, Refusal> {
    let is_lan = origin.is_some_and(|Extension(origin)| origin.way == Way::Lan);
    match is_lan && api.offers.has(&offer) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Ok(StatusCode::NOT_FOUND),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_stands_for_one_key_and_one_box_and_as_long_as_it_is_wanted() {
        let id = |text: &str| DeviceId::of(&text.as_bytes().to_vec().into());
        let (offers, key) = (Offers::default(), "hob_key");
        let (first, again) =
            (offers.make(Offer::new(key, &id("attic"))), offers.make(Offer::new(key, &id("attic"))));
        assert!(!offers.has(&Offer::new(key, &id("cellar"))), "another box passes it on");
        assert!(!offers.has(&Offer::new("hob_other", &id("attic"))));
        drop(first);
        assert!(offers.has(&Offer::new(key, &id("attic"))));
        drop(again);
        assert!(!offers.has(&Offer::new(key, &id("attic"))));
    }
}
