//! `hob worker`: one model, or a part of one of another box, on what this process was born with. Reads no setting and no environment.

use anyhow::Context as _;
use platform::process::WorkerFiles;

/// Serves one model until the daemon hangs up.
///
/// # Errors
/// If this process was not started by a daemon, or its socket failed.
pub(crate) fn run() -> anyhow::Result<()> {
    check_processor()?;
    let (socket, files) =
        platform::process::inherited().context("hob worker is started by hob serve alone")?;
    let WorkerFiles { model, adapters, draft, projector, output, prefixes, mut remote } = files;
    let Some(model) = model else {
        let stream = remote.pop().context("a worker has a model, or a stream to one")?;
        return Ok(engine::lend(socket, stream, platform::memory::take_at_most)?);
    };
    let files = engine::Files { model, adapters, draft, projector, output, prefixes, remote };
    let accounts = || {
        let platform::cpu::CpuTime { ran, waited, unused } = platform::cpu::time()?;
        Some(engine::CpuTime { ran, waited, unused })
    };
    Ok(engine::serve(socket, files, engine::System { accounts, measure: platform::memory::taken_bytes })?)
}

/// The engine's code is compiled for these; without them it would die of an illegal instruction.
#[cfg(target_arch = "x86_64")]
fn check_processor() -> anyhow::Result<()> {
    let there = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    anyhow::ensure!(
        there,
        "this processor lacks AVX2, FMA or F16C, which hob needs (Intel since 2013, AMD since 2015)"
    );
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn check_processor() -> anyhow::Result<()> {
    Ok(())
}
