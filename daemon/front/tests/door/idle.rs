//! What connections cost that nobody uses: memory, of a process that does nothing else.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use front::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::harness::{Door, NAME, app, client};

/// Bytes that 150 MiB leave for each of 5,000. Of HTTP/2 there are 31,000 by now, two thirds of them buffers of a fixed size in
/// h2 and rustls; of HTTP/1.1, 26,000.
const MOST: usize = 31_457;

#[tokio::test]
async fn an_idle_connection_of_tls_costs_little() {
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let each = cost(500, protocol).await;
        assert!(each < MOST, "{each} bytes each for {}", String::from_utf8_lossy(protocol));
    }
}

/// For the figure. Both sides have 5,000 files open.
#[tokio::test]
#[ignore = "takes half a minute, and many open files"]
#[expect(clippy::print_stdout, reason = "the figure is what it is for")]
async fn five_thousand_idle_connections_of_tls() {
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let each = cost(5000, protocol).await;
        println!("{each} bytes each for {}", String::from_utf8_lossy(protocol));
        assert!(each < MOST, "{each}");
    }
}

/// Bytes that the server takes for each of so many connections, each of which has asked for something once.
async fn cost(connections: usize, protocol: &[u8]) -> usize {
    let mut server = Server::start();
    let (port, root) = server.said.split_once(' ').unwrap();
    let (port, root): (u16, _) = (port.parse().unwrap(), hex(root));
    let connector = TlsConnector::from(Arc::new(client(root.into(), protocol)));
    let mut held = Vec::new();
    let mut connect = async |count| {
        for _ in 0..count {
            let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let mut socket = connector.connect(NAME.try_into().unwrap(), socket).await.unwrap();
            if protocol == b"h2" {
                let (mut requests, connection) = h2::client::handshake(socket).await.unwrap();
                let connection = tokio::spawn(connection);
                let get = http::Request::get(format!("https://{NAME}:{port}/")).body(()).unwrap();
                let (answer, _) = requests.send_request(get, true).unwrap();
                assert_eq!(answer.await.unwrap().status(), 200);
                held.push((Some((requests, connection)), None));
            } else {
                let get = format!("GET / HTTP/1.1\r\nHost: {NAME}:{port}\r\n\r\n");
                socket.write_all(get.as_bytes()).await.unwrap();
                let mut answer = [0; 4096];
                let length = socket.read(&mut answer).await.unwrap();
                assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
                held.push((None, Some(socket)));
            }
        }
    };
    // What is there once, however many come.
    connect(50).await;
    let before = server.resident_bytes();
    connect(connections).await;
    let after = server.resident_bytes();
    after.saturating_sub(before) / connections
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// A process that serves.
struct Server {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<std::process::ChildStdout>,
    /// First of all.
    said: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "memory is counted by process")]
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "idle::serves_for_the_others", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self { child, orders, answers, said: String::new() };
        server.said = server.ask();
        server
    }

    fn ask(&mut self) -> String {
        writeln!(self.orders).unwrap();
        let mut lines = (&mut self.answers).lines().map_while(Result::ok);
        lines.find_map(|line| line.strip_prefix(SAYS).map(str::to_owned)).unwrap()
    }

    fn resident_bytes(&mut self) -> usize {
        self.ask().parse().unwrap()
    }
}

const SAYS: &str = "says ";

/// Says port and certificate at the first order, and how much memory it has at each that follows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is the server of the tests above"]
#[expect(clippy::print_stdout, reason = "it is how it is heard")]
async fn serves_for_the_others() {
    let (asked, mut ask) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut orders = std::io::stdin().lines().map_while(Result::ok);
        orders.try_for_each(|_| asked.send(()))
    });
    // Nobody's server.
    let Some(()) = ask.recv().await else { return };
    platform::memory::keep_little();
    let long = Duration::from_secs(600);
    let limits = Limits {
        connections: 10_000,
        connections_per_address: 10_000,
        unauthenticated_per_address: 10_000,
        header_time: long,
        idle: long,
        ..Limits::default()
    };
    let door = Door::lan(app(), limits);
    let root: String = door.root().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("\n{SAYS}{} {root}", door.address.port());
    while let Some(()) = ask.recv().await {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
        println!("\n{SAYS}{}", pages * 4096);
    }
}
