"""Models between boxes: a pull from one box beside `curl` of the same file over the same link and the same TLS, its hash and its way to
the disk included; at a gigabit beside the wire; and from two boxes at half of that beside one. Each box is in a network namespace of
its own, on one bridge. Only root may make those."""
import hashlib, json, os, pathlib, re, shutil, signal, statistics, subprocess, tempfile, time

# What may not be missed, by a row's name.
LEAST = {"a pull over veth, MB/s": 0.9, "a pull at 1 Gbit/s, MB/s": 0.9, "a pull from two boxes at 500 Mbit/s each, MB/s": 1.7}

BYTES = 1 << 30
PORT = 11443
PASSWORD = "a longer word than most"
WIRE = 1e9 / 8 / 1e6


def measure(executable, rounds):
    """Rows of medians."""
    figures = {}
    with Street() as street:
        one, two, here = (street.machine() for _ in range(3))
        blob = random_blob(street.folder / "blob")
        givers = [Box(one, executable, blob), Box(two, executable, blob)]
        known = {name: giver.known(name) for name, giver in zip(("one", "two"), givers)}
        taker = Box(here, executable, None, known)
        with givers[0], givers[1], taker:
            for _ in range(rounds):
                for name, figure, peer, of in rounds_of(street, givers, taker, blob):
                    figures.setdefault((name, of), []).append((figure, peer))
    return [row(name, of, found) for (name, of), found in figures.items()]


def rounds_of(street, givers, taker, blob):
    alone = lambda: taker.only("one")
    alone()
    by_curl = taker.curl(givers[0], blob)
    yield "a pull over veth, MB/s", taker.pull(blob), by_curl, "curl"
    givers[0].machine.limit("1gbit")
    yield "a pull at 1 Gbit/s, MB/s", taker.pull(blob), WIRE, "the wire"
    for giver in givers:
        giver.machine.limit("500mbit")
    by_one = taker.pull(blob)
    taker.only("one", "two")
    yield "a pull from two boxes at 500 Mbit/s each, MB/s", taker.pull(blob), by_one, "one of them"
    for giver in givers:
        giver.machine.unlimit()


def row(name, of, found):
    return {"name": name, "better": "more", "hob": statistics.median(figure for figure, _ in found), "peer": statistics.median(peer for _, peer in found),
            "of": of, "ratio": statistics.median(figure / peer for figure, peer in found)}


def missed(rows):
    """Rows that are below their limit, in words."""
    for row in rows:
        if row["ratio"] < LEAST[row["name"]]:
            yield f"{row['name']}: {row['ratio']:.2f} of {row['of']}, {LEAST[row['name']]} is the least"


def random_blob(path):
    """A file that nothing can be saved on, by its path and digest."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(BYTES >> 24):
            piece = os.urandom(1 << 24)
            digest.update(piece)
            file.write(piece)
    return path, digest.hexdigest()


def ip(*args):
    subprocess.run(["ip", *args], check=True)


class Street:
    """A switch, and a folder. Gone at the end, with all machines."""

    def __init__(self):
        self.name, self.machines = f"hobbench{os.getpid() % 100_000}", []
        # The disk is not what is measured, if that can be helped.
        self.temporary = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.folder = pathlib.Path(self.temporary.name)

    def __enter__(self):
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "add", "switch", "type", "bridge")
        ip("-n", self.name, "link", "set", "switch", "up")
        return self

    def machine(self):
        machine = Machine(self, len(self.machines) + 1)
        self.machines.append(machine)
        return machine

    def __exit__(self, *_):
        for name in [*(machine.name for machine in self.machines), self.name]:
            ip("netns", "del", name)
        self.temporary.cleanup()


class Machine:
    def __init__(self, street, number):
        self.name, self.address, self.folder = f"{street.name}m{number}", f"10.129.0.{number}", street.folder / str(number)
        ip("netns", "add", self.name)
        ip("-n", street.name, "link", "add", f"port{number}", "type", "veth", "peer", "name", "lan0", "netns", self.name)
        ip("-n", street.name, "link", "set", f"port{number}", "master", "switch", "up")
        ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "lan0")
        for link in ("lo", "lan0"):
            ip("-n", self.name, "link", "set", link, "up")

    def command(self, *args):
        return ["ip", "netns", "exec", self.name, *map(str, args)]

    def limit(self, rate):
        """Sends no faster than this."""
        subprocess.run(self.command("tc", "qdisc", "replace", "dev", "lan0", "root", "tbf", "rate", rate, "burst", "1mb", "latency", "50ms"), check=True)

    def unlimit(self):
        subprocess.run(self.command("tc", "qdisc", "del", "dev", "lan0", "root"), check=True)


class Box:
    def __init__(self, machine, executable, blob, peers=None):
        self.machine, self.executable, self.peers = machine, executable, peers or {}
        self.home = machine.folder
        self.state = self.home / ".local/share/hob"
        self.state.mkdir(parents=True)
        if blob:
            self.put_model(*blob)
        self.only()
        if blob:
            self.cli("claim", "--password-file", "-", input=PASSWORD)

    def put_model(self, path, digest):
        """In the store's own layout: what is in the blob is nobody's to ask."""
        blobs, manifests = self.state / "models/blobs", self.state / "models/manifests/registry.ollama.ai/library/bench"
        for folder in (blobs, manifests):
            folder.mkdir(parents=True)
        config = b"{}"
        (blobs / f"sha256-{digest}").hardlink_to(path)
        (blobs / f"sha256-{hashlib.sha256(config).hexdigest()}").write_bytes(config)
        layer = lambda kind, digest, size: {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}
        manifest = {"schemaVersion": 2, "config": layer("application/vnd.docker.container.image.v1+json", hashlib.sha256(config).hexdigest(), 2),
                    "layers": [layer("application/vnd.ollama.image.license", digest, BYTES)]}
        (manifests / "latest").write_text(json.dumps(manifest))

    def only(self, *names):
        """Starts anew, knowing these alone."""
        self.stop()
        folder = self.state / "peers"
        folder.mkdir(exist_ok=True)
        for name, text in self.peers.items():
            file = folder / f"{name}.json"
            file.write_text(text) if name in names else file.unlink(missing_ok=True)
        environment = {"HOME": str(self.home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOB_LISTEN": "127.0.0.1:11434", "HOB_LAN": f"{self.machine.address}:{PORT}"}
        log = self.home / "log"
        self.process = subprocess.Popen(self.machine.command(self.executable, "serve"), env=environment, stderr=log.open("w"))
        while subprocess.run(self.machine.command("curl", "-s", "http://127.0.0.1:11434/"), capture_output=True).returncode:
            if self.process.poll() is not None:
                raise SystemExit(log.read_text())
            time.sleep(0.02)

    def stop(self):
        if getattr(self, "process", None):
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None

    def cli(self, *args, **more):
        environment = {"HOME": str(self.home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOB_HOST": "http://127.0.0.1:11434"}
        done = subprocess.run(self.machine.command(self.executable, *args), env=environment, capture_output=True, text=True, **more)
        if done.returncode:
            raise SystemExit(f"hob {args}: {done.stdout}{done.stderr}")
        return done.stdout

    def known(self, name):
        """What another box writes down of it."""
        self.key = self.cli("key", "create", name, "--scope", "models.read").strip()
        self.root = self.cli("trust", "export")
        self.id = re.search(r"this box is (\S+)", (self.home / "log").read_text())[1]
        return json.dumps({"address": f"{self.machine.address}:{PORT}", "id": self.id, "root": self.root, "key": self.key})

    def curl(self, giver, blob):
        """MB/s of the same file by curl, to the same disk."""
        (self.home / "root.pem").write_text(giver.root)
        name = f"hob-{giver.id[:4].lower()}.local"
        target = self.home / "by-curl"
        command = self.machine.command("curl", "-sS", "--fail-with-body", "--http1.1", "--cacert", self.home / "root.pem", "--resolve", f"{name}:{PORT}:{giver.machine.address}",
                                       "-H", f"Authorization: Bearer {giver.key}", "-o", target, f"https://{name}:{PORT}/v2/-/blobs/sha256:{blob[1]}")
        begun = time.perf_counter()
        done = subprocess.run(command)
        took = time.perf_counter() - begun
        if done.returncode:
            raise SystemExit(f"curl: {target.read_bytes()[:500]}")
        if target.stat().st_size != BYTES:
            raise SystemExit("curl got something else")
        target.unlink()
        os.sync()
        return BYTES / took / 1e6

    def pull(self, blob):
        """MB/s of a pull, from the question to `success`."""
        body = json.dumps({"model": "bench", "from": "one", "stream": False})
        begun = time.perf_counter()
        done = subprocess.run(self.machine.command("curl", "-sf", "http://127.0.0.1:11434/api/pull", "-d", body), capture_output=True, text=True)
        took = time.perf_counter() - begun
        if "success" not in done.stdout:
            raise SystemExit(f"{done.stdout}{done.stderr}{(self.home / 'log').read_text()[-2000:]}")
        self.forget()
        return BYTES / took / 1e6

    def forget(self):
        """What was pulled: what is in it is no model, so nobody can be asked to remove it."""
        for folder in ("blobs", "manifests"):
            shutil.rmtree(self.state / "models" / folder)
            (self.state / "models" / folder).mkdir()
        os.sync()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
