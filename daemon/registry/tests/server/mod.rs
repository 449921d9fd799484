//! A registry that misbehaves on demand: what a real one will not do when a test asks for it. It knows one model,
//! `library/model:latest`, and answers as its script says.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use store::Digest;

/// A request, as far as tests care.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First and last byte of its `Range`.
    pub(crate) fn range(&self) -> Option<(usize, usize)> {
        let (from, to) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse().unwrap(), to.parse().unwrap()))
    }

    pub(crate) fn is_blob(&self) -> bool {
        self.path.contains("/blobs/")
    }
}

/// What to answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Said in place of the body's length.
    pub(crate) claimed_length: Option<u64>,
    /// The connection breaks after so many bytes of the body.
    pub(crate) cut_after: Option<usize>,
}

impl Reply {
    pub(crate) fn of(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

/// It runs until the test's process ends.
pub(crate) struct Server {
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(crate) fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                std::thread::spawn(move || converse(&stream, &*script, &seen));
            }
        });
        Self { host, asked }
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Bytes of blobs that were asked for.
    pub(crate) fn bytes_asked(&self) -> usize {
        self.asked().iter().filter_map(Asked::range).map(|(from, to)| to + 1 - from).sum()
    }
}

fn converse(stream: &TcpStream, script: &Script, seen: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        seen.lock().unwrap().push(asked.clone());
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
pub(crate) struct Model {
    pub(crate) weights: Vec<u8>,
    pub(crate) config: Vec<u8>,
}

impl Model {
    pub(crate) fn of(weights_bytes: usize) -> Self {
        let weights = (0..weights_bytes).map(|n| (n * 31 % 251) as u8).collect();
        Self { weights, config: br#"{"model_format":"gguf"}"#.to_vec() }
    }

    pub(crate) fn manifest(&self) -> String {
        let blob = |kind: &str, bytes: &[u8]| {
            format!(r#"{{"mediaType":"{kind}","digest":"{}","size":{}}}"#, Digest::of(bytes), bytes.len())
        };
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{},"layers":[{}]}}"#,
            blob("application/vnd.docker.container.image.v1+json", &self.config),
            blob("application/vnd.ollama.image.model", &self.weights)
        )
    }

    /// As it should be.
    pub(crate) fn answer(&self, asked: &Asked) -> Reply {
        if asked.path.contains("/manifests/") {
            return Reply::of(200).body(self.manifest());
        }
        let blob = [&self.weights, &self.config]
            .into_iter()
            .find(|blob| asked.path.ends_with(&Digest::of(blob).to_string()));
        let Some(blob) = blob else { return Reply::of(404) };
        match asked.range() {
            None => Reply::of(200).body(blob.clone()),
            Some((from, to)) => Reply::of(206)
                .with("Content-Range", format!("bytes {from}-{to}/{}", blob.len()))
                .body(&blob[from..=to]),
        }
    }
}
