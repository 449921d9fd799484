//! What a model would take in memory, before it is loaded.

use axum::{Json, extract::Query};
use protocol::OptionPatch;
use scheduler::Outcome;
use serde::{Deserialize, Serialize};

use super::errors::Refusal;
use crate::{Api, load::load};

/// Which model, and the context if one is to be asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FitQuery {
    model: String,
    num_ctx: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct FitAnswer {
    weights_bytes: u64,
    kv_cache_bytes: u64,
    compute_bytes: u64,
    prefix_bytes: u64,
    process_bytes: u64,
    /// Measured, if it was loaded so before.
    total_bytes: u64,
    budget_bytes: u64,
    context_tokens: u32,
    parallel: u32,
    /// `loaded`, `loads` or `waits`.
    outcome: &'static str,
    /// Idle models that would go for it.
    evicted: usize,
}

/// `GET /admin/api/fit?model=NAME`.
pub(super) async fn fit(api: Api, Query(query): Query<FitQuery>) -> Result<Json<FitAnswer>, Refusal> {
    let model = api.resolve(&query.model).await?;
    let asked = OptionPatch { num_ctx: query.num_ctx, ..Default::default() };
    let options = model.parameters.clone().overlaid(asked);
    let load = api.suited(&model, load(&model, &options, &api, None)).await?;
    let fit = api.scheduler.fit(load).await?;
    let (outcome, evicted) = match fit.outcome {
        Outcome::Loaded => ("loaded", 0),
        Outcome::Loads { evicted } => ("loads", evicted),
        Outcome::Waits => ("waits", 0),
    };
    Ok(Json(FitAnswer {
        weights_bytes: fit.estimate.weights_bytes,
        kv_cache_bytes: fit.estimate.cache_bytes,
        compute_bytes: fit.estimate.compute_bytes,
        prefix_bytes: fit.estimate.prefix_bytes,
        process_bytes: fit.estimate.process_bytes,
        total_bytes: fit.bytes,
        budget_bytes: fit.budget_bytes,
        context_tokens: fit.context_tokens,
        parallel: fit.sequences,
        outcome,
        evicted,
    }))
}
