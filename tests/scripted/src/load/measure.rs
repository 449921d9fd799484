//! What is measured: a token's way through the daemon, a request's, a thousand streams at once, and short requests.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tokio::task::LocalSet;

use crate::daemon::Daemon;
use crate::http::{Connection, request};

/// A streaming request of each family, by name; the model is `bench`.
const FAMILIES: [&str; 4] = ["ollama", "openai", "anthropic", "responses"];

fn ask(family: &str, port: u16, script: &Value, stream: bool) -> Vec<u8> {
    let script = script.to_string();
    let messages = json!([{"role": "user", "content": script}]);
    let (path, body) = match family {
        "ollama" => ("/api/chat", json!({"model": "bench", "messages": messages, "stream": stream})),
        "openai" => {
            ("/v1/chat/completions", json!({"model": "bench", "messages": messages, "stream": stream}))
        }
        "anthropic" => (
            "/v1/messages",
            json!({"model": "bench", "messages": messages, "max_tokens": 1_000_000, "stream": stream}),
        ),
        _ => ("/v1/responses", json!({"model": "bench", "input": script, "store": false, "stream": stream})),
    };
    request("POST", path, port, &body.to_string())
}

/// The families, each of which must answer: what is not measured would pass for fast.
async fn families(daemon: &Daemon) -> io::Result<[&'static str; 4]> {
    for family in FAMILIES {
        let mut connection = Connection::open(daemon.port).await?;
        let request = ask(family, daemon.port, &json!({"tokens": 1}), false);
        let status = connection.ask(&request, |_| {}).await?;
        if status != 200 {
            return Err(io::Error::other(format!("{family}: status {status}")));
        }
    }
    Ok(FAMILIES)
}

/// A token's way, alone on its stream and in a flood of them.
pub(crate) async fn tokens(daemon: &Daemon) -> io::Result<Value> {
    const PACED: u32 = 4000;
    const FLOOD: u32 = 100_000;
    let mut figures = Map::new();
    for family in families(daemon).await? {
        let mut connection = Connection::open(daemon.port).await?;
        let script = json!({"tokens": PACED, "every_us": 500, "stamped": true});
        let mut stamps = Stamps::default();
        let cpu = daemon.cpu_ns()?;
        connection.ask(&ask(family, daemon.port, &script, true), |piece| stamps.see(piece)).await?;
        let paced_cpu = daemon.cpu_ns()? - cpu;
        let mut ways = stamps.ways;
        if ways.len() != PACED as usize {
            return Err(io::Error::other(format!("{family}: {} tokens of {PACED} arrived", ways.len())));
        }
        let script = json!({"tokens": FLOOD});
        let (cpu, begun) = (daemon.cpu_ns()?, Instant::now());
        connection.ask(&ask(family, daemon.port, &script, true), |_| {}).await?;
        let (flood, flood_cpu) = (begun.elapsed(), daemon.cpu_ns()? - cpu);
        ways.sort_unstable();
        let figure = json!({
            "tokens": ways.len(),
            "way_p50_us": us(percentile(&ways, 0.5)),
            "way_p99_us": us(percentile(&ways, 0.99)),
            "cpu_us": us(paced_cpu) / f64::from(PACED),
            "flood_us": flood.as_secs_f64() * 1e6 / f64::from(FLOOD),
            "flood_cpu_us": us(flood_cpu) / f64::from(FLOOD),
        });
        figures.insert(family.into(), figure);
    }
    Ok(figures.into())
}

/// Nanoseconds since each `[STAMP]` was said.
#[derive(Default)]
struct Stamps {
    ways: Vec<u64>,
    /// Of what arrived, the beginning of a stamp.
    rest: Vec<u8>,
    /// Later ones are greater: the events that end a response repeat all of it, and are no way of a token.
    last: u64,
}

impl Stamps {
    fn see(&mut self, piece: &[u8]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.rest.extend_from_slice(piece);
        let rest = &self.rest;
        let mut from = 0;
        while let Some(begin) = rest[from..].iter().position(|byte| *byte == b'[').map(|at| from + at + 1) {
            let Some(end) = rest[begin..].iter().position(|byte| !byte.is_ascii_digit()).map(|at| begin + at)
            else {
                from = begin - 1;
                break;
            };
            let digits = std::str::from_utf8(&rest[begin..end]).unwrap_or_default();
            let said = digits.parse::<u64>().ok().filter(|_| rest[end] == b']' && digits.len() > 15);
            if let Some(said) = said.filter(|said| *said > self.last) {
                self.ways.push(now.saturating_sub(said));
                self.last = said;
            }
            from = end;
        }
        self.rest.drain(..from);
    }
}

/// A request of one token: whole, and as a stream, on a connection that is open.
pub(crate) async fn requests(daemon: &Daemon) -> io::Result<Value> {
    let mut figures = Map::new();
    for family in families(daemon).await? {
        let mut figure = Map::new();
        for (name, stream) in [("whole", false), ("stream", true)] {
            let mut connection = Connection::open(daemon.port).await?;
            let request = ask(family, daemon.port, &json!({"tokens": 1}), stream);
            for _ in 0..100 {
                connection.ask(&request, |_| {}).await?;
            }
            let mut times = Vec::new();
            let cpu = daemon.cpu_ns()?;
            for _ in 0..1000 {
                let begun = Instant::now();
                connection.ask(&request, |_| {}).await?;
                times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
            let cpu = daemon.cpu_ns()? - cpu;
            times.sort_unstable();
            figure.insert(format!("{name}_p50_ms"), (us(percentile(&times, 0.5)) / 1e3).into());
            figure.insert(format!("{name}_p99_ms"), (us(percentile(&times, 0.99)) / 1e3).into());
            figure.insert(format!("{name}_cpu_ms"), (us(cpu) / 1e6).into());
        }
        figures.insert(family.into(), figure.into());
    }
    Ok(figures.into())
}

/// A thousand streams at once, of both families that have long been there.
pub(crate) async fn streams(daemon: &Daemon) -> io::Result<Value> {
    const STREAMS: usize = 1000;
    const TOKENS: u32 = 100;
    const EVERY: Duration = Duration::from_millis(100);
    let before = daemon.mib("VmRSS")?;
    let script = json!({"tokens": TOKENS, "every_us": EVERY.as_micros(), "first_ms": 2000});
    let cpu = daemon.cpu_ns()?;
    let begun = Instant::now();
    let local = LocalSet::new();
    let running: Vec<_> = (0..STREAMS)
        .map(|at| {
            let family = FAMILIES[at % 2];
            let request = ask(family, daemon.port, &script, true);
            let port = daemon.port;
            local.spawn_local(async move { stream(port, &request).await })
        })
        .collect();
    let mut seen = Vec::new();
    local
        .run_until(async {
            for stream in running {
                seen.push(stream.await.map_err(io::Error::other)??);
            }
            Ok::<_, io::Error>(())
        })
        .await?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = daemon.cpu_ns()? - cpu;
    let lost: usize = seen.iter().map(|seen| seen.words.abs_diff(TOKENS as usize)).sum();
    let mut gaps: Vec<u64> = seen.iter().map(|seen| seen.longest).collect();
    gaps.sort_unstable();
    let mut lengths: Vec<u64> = seen.iter().map(|seen| seen.length).collect();
    lengths.sort_unstable();
    Ok(json!({
        "streams": seen.len(),
        "lost": lost,
        "longest_gap_p50_ms": us(percentile(&gaps, 0.5)) / 1e3,
        "longest_gap_max_ms": us(percentile(&gaps, 1.0)) / 1e3,
        "length_p50_s": us(percentile(&lengths, 0.5)) / 1e6,
        "length_max_s": us(percentile(&lengths, 1.0)) / 1e6,
        "seconds": seconds,
        "cpu_us_per_token": us(cpu) / (STREAMS as f64 * f64::from(TOKENS)),
        "before_mib": before,
        "most_mib": daemon.mib("VmHWM")?,
    }))
}

struct Seen {
    words: usize,
    /// Nanoseconds between two pieces.
    longest: u64,
    /// From the first to the last.
    length: u64,
}

async fn stream(port: u16, request: &[u8]) -> io::Result<Seen> {
    let mut connection = Connection::open(port).await?;
    let (mut words, mut longest) = (0, Duration::ZERO);
    // A piece may begin in the middle of a word.
    let mut text = Vec::new();
    let (mut first, mut last): (Option<Instant>, Option<Instant>) = (None, None);
    let status = connection
        .ask(request, |piece| {
            let now = Instant::now();
            text.extend_from_slice(piece);
            words += text.windows(5).filter(|five| five == b" word").count();
            text.drain(..text.len().saturating_sub(4));
            longest = longest.max(last.map_or(Duration::ZERO, |last| now - last));
            first.get_or_insert(now);
            last = Some(now);
        })
        .await?;
    if status != 200 {
        return Err(io::Error::other(format!("status {status}")));
    }
    let length = first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first);
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Ok(Seen { words, longest: ns(longest), length: ns(length) })
}

/// Requests a second that generate nothing, by sixteen clients.
pub(crate) async fn short(daemon: &Daemon) -> io::Result<Value> {
    const CLIENTS: usize = 16;
    const TIME: Duration = Duration::from_secs(3);
    let mut figures = Map::new();
    let asked = [
        ("version", request("GET", "/api/version", daemon.port, "")),
        ("models", request("GET", "/v1/models", daemon.port, "")),
        ("show", request("POST", "/api/show", daemon.port, r#"{"model":"bench"}"#)),
    ];
    for (name, request) in asked {
        let request = Rc::new(request);
        let (begun, cpu) = (Instant::now(), daemon.cpu_ns()?);
        let local = LocalSet::new();
        let running: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (request, port) = (Rc::clone(&request), daemon.port);
                local.spawn_local(async move {
                    let mut connection = Connection::open(port).await?;
                    let mut count = 0_u32;
                    while begun.elapsed() < TIME {
                        let status = connection.ask(&request, |_| {}).await?;
                        if status != 200 {
                            return Err(io::Error::other(format!("status {status}")));
                        }
                        count += 1;
                    }
                    Ok(count)
                })
            })
            .collect();
        let mut count = 0;
        local
            .run_until(async {
                for client in running {
                    count += client.await.map_err(io::Error::other)??;
                }
                Ok::<_, io::Error>(())
            })
            .await?;
        let rate = f64::from(count) / begun.elapsed().as_secs_f64();
        let cpu = us(daemon.cpu_ns()? - cpu) / f64::from(count);
        figures.insert(name.into(), json!({"a_second": rate, "cpu_us": cpu}));
    }
    Ok(figures.into())
}

fn percentile(sorted: &[u64], part: f64) -> u64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}
