//! What one client may take, as the owner decides it; `front`'s own limits, where nothing else is said.

use std::time::Duration;

use super::raw;
use super::values::{deadline, ranged, size};

pub(super) fn check(raw: &raw::Limits) -> anyhow::Result<front::Limits> {
    let usual = front::Limits::default();
    Ok(front::Limits {
        connections: count("connections", raw.connections, usual.connections, 8, 1 << 20)?,
        connections_per_address: count(
            "connections_per_address",
            raw.connections_per_address,
            usual.connections_per_address,
            1,
            1 << 20,
        )?,
        unauthenticated_per_address: count(
            "unauthenticated_per_address",
            raw.unauthenticated_per_address,
            usual.unauthenticated_per_address,
            1,
            1 << 20,
        )?,
        handshake_time: time("handshake_time", &raw.handshake_time, usual.handshake_time)?,
        streams: ranged("limits.streams", raw.streams, usual.streams, 1, 4096)?,
        network_streams: ranged(
            "limits.network_streams",
            raw.network_streams,
            usual.network_streams,
            1,
            4096,
        )?,
        header_time: time("header_time", &raw.header_time, usual.header_time)?,
        header_bytes: whole(bytes("header_bytes", &raw.header_bytes, usual.header_bytes as u64, 8 << 10)?),
        header_bytes_h2: u32::try_from(bytes(
            "header_bytes_h2",
            &raw.header_bytes_h2,
            usual.header_bytes_h2.into(),
            4 << 10,
        )?)
        .unwrap_or(u32::MAX),
        headers: count("headers", raw.headers, usual.headers, 16, 1024)?,
        body_idle: time("body_idle", &raw.body_idle, usual.body_idle)?,
        body_time: time("body_time", &raw.body_time, usual.body_time)?,
        unpacked_bytes: bytes("unpacked_bytes", &raw.unpacked_bytes, usual.unpacked_bytes, 1 << 20)?,
        held_bytes: whole(bytes("held_bytes", &raw.held_bytes, usual.held_bytes as u64, 80 << 20)?),
        stranger_bytes: whole(bytes(
            "stranger_bytes",
            &raw.stranger_bytes,
            usual.stranger_bytes as u64,
            64 << 10,
        )?),
        passing_bytes: whole(bytes(
            "passing_bytes",
            &raw.passing_bytes,
            usual.passing_bytes as u64,
            1 << 20,
        )?),
        write_idle: time("write_idle", &raw.write_idle, usual.write_idle)?,
        idle: time("idle", &raw.idle, usual.idle)?,
        farewell: time("farewell", &raw.farewell, usual.farewell)?,
        resets: count("resets", raw.resets, usual.resets, 1, 1024)?,
    })
}

fn count(name: &str, given: Option<u32>, usual: usize, low: u32, high: u32) -> anyhow::Result<usize> {
    let usual = u32::try_from(usual).unwrap_or(high);
    Ok(ranged(&format!("limits.{name}"), given, usual, low, high)? as usize)
}

fn bytes(name: &str, given: &Option<String>, usual: u64, low: u64) -> anyhow::Result<u64> {
    let name = format!("limits.{name}");
    let Some(text) = given else { return Ok(usual) };
    let bytes = size(&name, text)?;
    anyhow::ensure!(bytes >= low, "setting {name} is {text}, it must be at least {low} bytes");
    Ok(bytes)
}

fn whole(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn time(name: &str, given: &Option<String>, usual: Duration) -> anyhow::Result<Duration> {
    deadline(&format!("limits.{name}"), given.as_deref(), usual)
}
