//! A model of which other boxes have a part: they are asked when it fits nowhere else, and each lends itself for its part. Who
//! has what is `spread`'s to say.

use std::sync::Arc;

use platform::process::WorkerFiles;
use protocol::{CacheOptions, LoadOptions, Purpose};

use super::{Shared, Visit};
use crate::Load;
use crate::lenders::{Lost, Part};
use crate::spread::spread;
use crate::worker::Failure;

impl Shared {
    /// Has a model that is too big for this box be loaded with parts of it on others; false if that is no way.
    pub(super) async fn spread(self: &Arc<Self>, visit: &mut Visit) -> bool {
        let Some(lenders) = &self.config.lenders else { return false };
        let load = &visit.load;
        // An adapter would have to be where the weights are that it changes.
        let whole = visit.parts.is_empty() && load.adapters.is_empty();
        if !whole || load.options.purpose != Purpose::Generate {
            return false;
        }
        let Ok(shape) = self.shape(load).await else { return false };
        let offers = lenders.offers().await;
        // What was computed is not carried back and forth to be kept.
        let options = LoadOptions { cache: CacheOptions::default(), ..load.options.clone() };
        let chosen = {
            let table = self.table();
            let (room, _) = self.room(&table, Some(&load.name));
            let here = |options: &LoadOptions| table.bytes(load, &shape, options);
            let sizes = table.sizes(&Load { options: options.clone(), ..(**load).clone() }, &shape);
            sizes.iter().find_map(|size| {
                let (context_tokens, sequences) = (size.context_tokens, size.sequences);
                let options = LoadOptions { context_tokens, sequences, ..options.clone() };
                let parts = spread(&shape, &options, room.most_bytes(), &offers, here)?;
                Some((*size, parts))
            })
        };
        let Some((size, parts)) = chosen else { return false };
        let remote = parts.iter().map(|part| part.layers).collect();
        visit.load = Arc::new(Load { options: LoadOptions { remote, ..options }, ..(*visit.load).clone() });
        (visit.parts, visit.most) = (parts.into(), Some(size));
        // It waits for less now.
        visit.waiting = None;
        true
    }

    /// Streams to the boxes that have a part of a model, and a watch over them.
    pub(super) async fn borrow(&self, parts: &[Part], files: &mut WorkerFiles) -> Result<Lost, Failure> {
        let mut lost = Lost::default();
        let Some(lenders) = &self.config.lenders else { return Ok(lost) };
        for part in parts {
            let borrowed = lenders.borrow(&part.lender, part.bytes).await?;
            tracing::info!(lender = part.lender, layers = part.layers, bytes = part.bytes, "a part is lent");
            files.remote.push(borrowed.stream.into());
            lost.watch(&part.lender, borrowed.lost);
        }
        Ok(lost)
    }
}
