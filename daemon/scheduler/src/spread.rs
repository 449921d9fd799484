//! A model that does not fit into this box, over others as well: which of its last layers go where. Pure.

use protocol::LoadOptions;

use crate::Shape;
use crate::estimate::of_part;
use crate::lenders::{Offer, Part};

/// As few layers elsewhere as need be for the rest to fit into `here_bytes`, on as few boxes as can hold them; `None` if there
/// is no such way. `here` tells what a load takes on this box.
pub(crate) fn spread(
    shape: &Shape,
    options: &LoadOptions,
    here_bytes: u64,
    offers: &[Offer],
    here: impl Fn(&LoadOptions) -> u64,
) -> Option<Vec<Part>> {
    let blocks = u32::try_from(shape.blocks).ok().filter(|blocks| *blocks > 0)?;
    // Less than a block would be logits alone, each of which costs a way over the network.
    let elsewhere = |layers: u32| LoadOptions { remote: vec![layers], ..options.clone() };
    let layers = (2..=blocks + 1).find(|layers| here(&elsewhere(*layers)) <= here_bytes)?;
    let mut offers: Vec<&Offer> = offers.iter().collect();
    offers.sort_by_key(|offer| std::cmp::Reverse(offer.bytes));
    let (mut left, mut parts) = (layers, Vec::new());
    for offer in offers.into_iter().take(platform::process::MOST_REMOTE) {
        let logits = if parts.is_empty() { Logits::Made } else { Logits::MadeElsewhere };
        let bytes = |layers| of_part(shape, options, layers, logits);
        let Some(layers) = (1..=left).rev().find(|layers| bytes(*layers) <= offer.bytes) else { continue };
        parts.push(Part { lender: offer.lender.clone(), layers, bytes: bytes(layers) });
        left -= layers;
        if left == 0 {
            // The logits are made by the last.
            parts.reverse();
            return Some(parts);
        }
    }
    None
}

/// Whether a part makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logits {
    Made,
    MadeElsewhere,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::a_load;

    /// Ten blocks of ten megabytes, and five for the logits.
    fn shape() -> Shape {
        Shape {
            weights_bytes: 105 << 20,
            blocks: 10,
            blocks_bytes: 100 << 20,
            largest_block_bytes: 10 << 20,
            output_bytes: 5 << 20,
            own_output_bytes: 5 << 20,
            ..Shape::default()
        }
    }

    fn offer(lender: &str, mebibytes: u64) -> Offer {
        Offer { lender: lender.into(), bytes: mebibytes << 20 }
    }

    /// The layers and where they are, if the rest is to fit into so many megabytes here.
    fn spread_over(here_mebibytes: u64, offers: &[Offer]) -> Option<Vec<(String, u32)>> {
        let shape = shape();
        let options = a_load("m").options;
        let parts = spread(&shape, &options, here_mebibytes << 20, offers, |options| {
            shape.estimate(options).weights_bytes
        })?;
        Some(parts.into_iter().map(|part| (part.lender, part.layers)).collect())
    }

    #[test]
    fn as_few_layers_as_need_be_go_to_one_box_if_one_can_hold_them() {
        let offers = [offer("small", 100), offer("large", 500)];
        assert_eq!(spread_over(70, &offers), Some(vec![("large".into(), 4)]));
        assert_eq!(spread_over(100, &offers), Some(vec![("large".into(), 2)]));
    }

    #[test]
    fn what_no_box_can_hold_alone_is_held_by_several_and_the_logits_are_made_by_the_last() {
        let offers = [offer("c", 80), offer("b", 100)];
        let parts = spread_over(40, &offers).unwrap();
        assert_eq!(parts.iter().map(|(_, layers)| layers).sum::<u32>(), 7);
        assert_eq!(parts.last().map(|(lender, _)| lender.as_str()), Some("b"));
    }

    #[test]
    fn what_all_boxes_together_cannot_hold_is_not_spread() {
        assert_eq!(spread_over(10, &[offer("a", 60)]), None);
        assert_eq!(spread_over(10, &[]), None);
    }
}
