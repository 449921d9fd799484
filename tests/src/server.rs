//! A registry that misbehaves on demand: what a real one will not do when a test asks for it. It knows one model,
//! `library/model:latest`, and answers as its script says.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use sha2::{Digest as _, Sha256};

use crate::PATIENCE;

/// A request, as far as tests care.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Such as `GET`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// By name in lower case.
    pub headers: HashMap<String, String>,
}

impl Asked {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First and last byte of its `Range`.
    pub fn range(&self) -> Option<(usize, usize)> {
        let (from, to) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse().unwrap(), to.parse().unwrap()))
    }

    /// Whether it is about a blob.
    pub fn is_blob(&self) -> bool {
        self.path.contains("/blobs/")
    }
}

/// What to answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Headers besides `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// Said in place of the body's length.
    pub claimed_length: Option<u64>,
    /// The connection breaks after so many bytes of the body.
    pub cut_after: Option<usize>,
}

impl Reply {
    /// An empty one.
    pub fn of(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// One more header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Another body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// It runs until the test's process ends.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub host: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    grew: Condvar,
}

impl Server {
    /// Listens on a port of its own.
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen = Arc::<Seen>::default();
        let (script, shown): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&shown));
                std::thread::spawn(move || converse(&stream, &*script, &seen));
            }
        });
        Self { host, seen }
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap().clone()
    }

    /// Waits until it was asked for blobs so often.
    #[track_caller]
    pub fn await_blobs(&self, times: usize) {
        let asked = self.seen.asked.lock().unwrap();
        let lacks = |asked: &mut Vec<Asked>| asked.iter().filter(|asked| asked.is_blob()).count() < times;
        let waited = self.seen.grew.wait_timeout_while(asked, PATIENCE, lacks).unwrap().1;
        assert!(!waited.timed_out(), "it is not asked for blobs {times} times");
    }

    /// Bytes of blobs that were asked for.
    pub fn bytes_asked(&self) -> usize {
        self.asked().iter().filter_map(Asked::range).map(|(from, to)| to + 1 - from).sum()
    }
}

fn converse(stream: &TcpStream, script: &Script, seen: &Seen) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        seen.asked.lock().unwrap().push(asked.clone());
        seen.grew.notify_all();
        let reply = script(&asked);
        if write(stream, &asked, &reply).is_err() || reply.cut_after.is_some() {
            let _gone = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some(Asked { method, path, headers })
}

fn write(mut stream: &TcpStream, asked: &Asked, reply: &Reply) -> std::io::Result<()> {
    let length = reply.claimed_length.unwrap_or(reply.body.len() as u64);
    let mut head = format!("HTTP/1.1 {} X\r\nContent-Length: {length}\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    let body = if asked.method == "HEAD" { &[][..] } else { &reply.body };
    stream.write_all(&body[..reply.cut_after.map_or(body.len(), |most| most.min(body.len()))])
}

/// The blobs of one model, and the answers of a well-behaved registry.
#[derive(Clone)]
pub struct Model {
    /// Its one layer.
    pub weights: Vec<u8>,
    /// Its config blob.
    pub config: Vec<u8>,
}

impl Model {
    /// One whose weights have this many bytes.
    pub fn of(weights_bytes: usize) -> Self {
        let weights = (0..weights_bytes).map(|n| (n * 31 % 251) as u8).collect();
        Self { weights, config: br#"{"model_format":"gguf"}"#.to_vec() }
    }

    /// Its manifest.
    pub fn manifest(&self) -> String {
        let blob = |kind: &str, bytes: &[u8]| {
            format!(r#"{{"mediaType":"{kind}","digest":"{}","size":{}}}"#, digest(bytes), bytes.len())
        };
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{},"layers":[{}]}}"#,
            blob("application/vnd.docker.container.image.v1+json", &self.config),
            blob("application/vnd.ollama.image.model", &self.weights)
        )
    }

    /// As it should be.
    pub fn answer(&self, asked: &Asked) -> Reply {
        if asked.path.contains("/manifests/") {
            return Reply::of(200).body(self.manifest());
        }
        let blob = [&self.weights, &self.config].into_iter().find(|blob| asked.path.ends_with(&digest(blob)));
        let Some(blob) = blob else { return Reply::of(404) };
        match asked.range() {
            None => Reply::of(200).body(blob.clone()),
            Some((from, to)) => Reply::of(206)
                .with("Content-Range", format!("bytes {from}-{to}/{}", blob.len()))
                .body(&blob[from..=to]),
        }
    }
}

/// As a registry names it.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
