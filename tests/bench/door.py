"""What the front door adds: TLS, a key, limits and who asks, on a kept connection beside the plain loopback; new connections beside
openssl's own server with the same certificates; and what idle connections take."""
import http.client, json, pathlib, resource, re, socket, ssl, statistics, subprocess, time

from servers import Hob, free_port

# What may not be passed, by a row's name; the rest is for reading.
LIMITS = {
    "a request by TLS with a key, beyond the loopback's, p50, ms": 0.5,
    "a request by TLS with a key, beyond the loopback's, p99, ms": 2,
    "5000 idle connections of TLS, MB": 150,
}
LEAST = {"full handshakes a second": 0.7}

REQUESTS, SECONDS, IDLE = 2000, 3, 5000
PASSWORD = "a longer word than most"


def measure(executable, rounds):
    """Rows of medians."""
    figures = {}
    port = free_port()
    settings = dict(HOB_LAN=f"127.0.0.1:{port}", HOB_LIMITS__CONNECTIONS="8000", HOB_LIMITS__CONNECTIONS_PER_ADDRESS="8000",
                    HOB_LIMITS__UNAUTHENTICATED_PER_ADDRESS="8000", HOB_LIMITS__HEADER_TIME="10m")
    with Hob("hob", executable, "smollm2", 8, 4096, **settings) as hob:
        door = Door(hob, executable, port)
        for _ in range(rounds):
            for name, figure, peer, better in [*door.requests(), *door.handshakes()]:
                figures.setdefault((name, better), []).append((figure, peer))
        figures[("5000 idle connections of TLS, MB", "less")] = [(door.idle(), None)]
    return [row(name, better, found) for (name, better), found in figures.items()]


def row(name, better, found):
    peer = statistics.median(peer for _, peer in found) if found[0][1] else None
    return {"name": name, "better": better, "hob": statistics.median(figure for figure, _ in found), "peer": peer,
            "of": "openssl s_server" if peer else None,
            "ratio": statistics.median(figure / peer for figure, peer in found) if peer else None}


def missed(rows):
    """Rows that are past their limit, in words."""
    for row in rows:
        limit, least = LIMITS.get(row["name"]), LEAST.get(row["name"])
        if limit is not None and row["hob"] > limit:
            yield f"{row['name']}: {row['hob']:.3f}, {limit} is the limit"
        if least is not None and row["ratio"] < least:
            yield f"{row['name']}: {row['ratio']:.2f} of {row['of']}, {least} is the least"


class Door:
    def __init__(self, hob, executable, port):
        self.hob, self.executable, self.port = hob, executable, port
        self.home = pathlib.Path(hob.home.name)
        self.cli("claim", "--password-file", "-", input=PASSWORD)
        self.key = self.cli("key", "create", "bench", "--rpm", "100000000", "--tokens-per-day", "1000000000").strip()
        self.root = self.home / "root.pem"
        self.root.write_text(self.cli("trust", "export"))
        self.trust = ssl.create_default_context(cafile=self.root)

    def cli(self, *args, **more):
        done = subprocess.run([self.executable, *args], env=self.hob.environment, capture_output=True, text=True, **more)
        if done.returncode:
            raise SystemExit(f"hob {args}: {done.stdout}{done.stderr}")
        return done.stdout

    def requests(self):
        """In turn on two kept connections, so that both find the machine alike."""
        plain = http.client.HTTPConnection("127.0.0.1", self.hob.port)
        secret = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.trust)
        headers = {"Content-Type": "application/json"}
        body = json.dumps({"model": "bench", "prompt": '{"tokens": 1}', "raw": True, "stream": False, "options": {"num_predict": 1}})
        took = {plain: [], secret: []}
        for _ in range(REQUESTS):
            for connection, more in ((plain, {}), (secret, {"Authorization": f"Bearer {self.key}"})):
                begun = time.perf_counter()
                connection.request("POST", "/api/generate", body, {**headers, **more})
                answer = connection.getresponse()
                text = answer.read()
                took[connection].append((time.perf_counter() - begun) * 1000)
                if answer.status != 200:
                    raise SystemExit(f"{answer.status} {text}")
        percentile = lambda times, at: sorted(times)[int(len(times) * at)]
        for name, at in (("p50", 0.5), ("p99", 0.99)):
            there, here = percentile(took[secret], at), percentile(took[plain], at)
            yield f"a request by TLS with a key, {name}, ms", there, None, "less"
            yield f"a request by TLS with a key, beyond the loopback's, {name}, ms", there - here, None, "less"

    def handshakes(self):
        """Whole ones, one after another, as openssl's own client makes them."""
        yield "full handshakes a second", self.handshakes_at(self.port), self.handshakes_of_openssl(), "more"

    def handshakes_at(self, port):
        done = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(SECONDS), "-CAfile", self.root],
                              capture_output=True, text=True)
        count, seconds = re.search(r"(\d+) connections in (\d+) real seconds", done.stdout).groups()
        return int(count) / int(seconds)

    def handshakes_of_openssl(self):
        port = free_port()
        tls = self.home / ".local/share/hob/tls"
        server = subprocess.Popen(["openssl", "s_server", "-accept", str(port), "-quiet", "-cert", tls / "server.pem", "-key", tls / "server.pem",
                                   "-cert_chain", tls / "authority.pem"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
            return self.handshakes_at(port)
        finally:
            server.kill()
            server.wait()

    def idle(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (IDLE + 100, max(IDLE + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        before = self.hob.resident_mb()
        held = []
        for _ in range(IDLE):
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.trust)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            held.append(connection)
        return (self.hob.resident_mb() - before) * (1 << 20) / 1e6
