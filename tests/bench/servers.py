"""The two servers that are compared: started alike, asked alike, timed at this end of the socket."""
import concurrent.futures, contextlib, functools, http.client, json, os, pathlib, signal, socket, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "hob"
MODELS = {
    "smollm2": CACHE / "models/SmolLM2-135M-Instruct.Q4_1.gguf",
    "gemma3": CACHE / "models/gemma-3-270m-q4_k_m.gguf",
    "minilm": CACHE / "models/all-MiniLM-L6-v2.F16.gguf",
}
THREADS = os.cpu_count()


class Answer:
    """When each piece came, in seconds since it was asked for, and what it was."""

    def __init__(self):
        self.times, self.text, self.tokens, self.prompt_tokens, self.seconds = [], "", 0, 0, 0

    @property
    def first(self):
        return self.times[0]

    @property
    def rate(self):
        """Tokens a second after the first."""
        return (self.tokens - 1) / max(self.times[-1] - self.times[0], 1e-9)

    @property
    def gaps(self):
        return [after - before for before, after in zip(self.times, self.times[1:])]


class Server:
    def __init__(self, command, environment, port, ready_path):
        self.command, self.environment, self.port, self.ready_path = command, environment, port, ready_path
        self.start()

    def start(self):
        self.log = tempfile.TemporaryFile()
        begun = time.monotonic()
        self.process = subprocess.Popen(self.command, env=self.environment, stdout=self.log, stderr=self.log)
        while not self.is_ready():
            if self.process.poll() is not None:
                self.log.seek(0)
                sys.exit(self.log.read().decode(errors="replace")[-2000:])
            time.sleep(0.002)
        self.ready_ms = (time.monotonic() - begun) * 1000

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def is_ready(self):
        try:
            return self.request("GET", self.ready_path).status == 200
        except OSError:
            return False

    def request(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        return connection.getresponse()

    def embed(self, texts):
        """Their vectors."""
        answer = self.request("POST", "/v1/embeddings", {"model": "bench", "input": texts})
        return [item["embedding"] for item in json.load(answer)["data"]]

    def ask(self, prompt, tokens, on_first=None, model="bench", schema=None):
        """One greedy answer of so many tokens at most, by the API that all speak."""
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True, "temperature": 0, "max_tokens": tokens,
                "stream_options": {"include_usage": True}}
        if schema:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "form", "schema": schema}}
        answer, begun = Answer(), time.monotonic()
        for line in self.request("POST", "/v1/chat/completions", body):
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if event.get("usage"):
                answer.tokens, answer.prompt_tokens = event["usage"]["completion_tokens"], event["usage"]["prompt_tokens"]
            for choice in event.get("choices", []):
                piece = choice.get("delta", {}).get("content")
                if piece:
                    answer.times.append(time.monotonic() - begun)
                    answer.text += piece
                    if on_first and len(answer.times) == 1:
                        on_first()
        answer.seconds = time.monotonic() - begun
        if not answer.times:
            sys.exit(f"{self.name}: no answer to {prompt[:60]!r}")
        return answer

    def go_on(self, prompt, tokens):
        """The same without a template: how the text goes on."""
        answer, begun = Answer(), time.monotonic()
        for line in self.request("POST", *self.raw(prompt, tokens)):
            line = line.removeprefix(b"data: ").strip()
            event = json.loads(line) if line.startswith(b"{") else {}
            piece = event.get("response") or event.get("content")
            if piece:
                answer.times.append(time.monotonic() - begun)
                answer.text += piece
            answer.tokens = event.get("eval_count") or event.get("tokens_predicted") or answer.tokens
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Hob(Server):
    def __init__(self, name, executable, model, slots, context, **settings):
        """`context` is of one slot; all slots share one KV cache of their sum."""
        self.name = name
        self.home = tempfile.TemporaryDirectory()
        port = free_port()
        environment = {"HOME": self.home.name, "PATH": os.environ["PATH"], "HOB_LISTEN": f"127.0.0.1:{port}",
                       "HOB_HOST": f"127.0.0.1:{port}", "HOB_MODELS__PARALLEL": str(slots),
                       "HOB_MODELS__CONTEXT": str(context), "HOB_ENGINE__THREADS": str(THREADS), **settings}
        super().__init__([executable, "serve"], environment, port, "/api/version")
        self.idle_mb = self.resident_mb()
        modelfile = pathlib.Path(self.home.name, "Modelfile")
        modelfile.write_text(f"FROM {MODELS[model]}\n")
        command = [executable, "create", "bench", "-f", modelfile]
        subprocess.run(command, env=environment, check=True, capture_output=True)

    def raw(self, prompt, tokens):
        options = {"temperature": 0, "num_predict": tokens}
        return "/api/generate", {"model": "bench", "prompt": prompt, "raw": True, "options": options}

    def resident_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def unload(self, model="bench"):
        json.load(self.request("POST", "/api/generate", {"model": model, "keep_alive": 0, "stream": False}))
        while any(loaded["model"] == f"{model}:latest" for loaded in json.load(self.request("GET", "/api/ps"))["models"]):
            time.sleep(0.01)

    @contextlib.contextmanager
    def twin(self):
        """The same file as another model beside it: how that is asked."""
        self.request("POST", "/api/copy", {"source": "bench", "destination": "twin"}).read()
        yield functools.partial(self.ask, model="twin")
        self.unload("twin")

    def restart(self):
        self.stop()
        self.start()


class LlamaServer(Server):
    name = "llama-server"

    def raw(self, prompt, tokens):
        return "/completion", {"prompt": prompt, "stream": True, "temperature": 0, "n_predict": tokens}

    def __init__(self, executable, model, slots, context, *more):
        self.settings = executable, model, slots, context
        port = free_port()
        command = [executable, "-m", MODELS[model], "-c", context * slots, "-np", slots, "-kvu", "-t", THREADS,
                   "-b", 512, "-ub", 512, "--port", port, "--host", "127.0.0.1", "--jinja", *more]
        super().__init__([str(part) for part in command], dict(os.environ), port, "/health")

    def unload(self):
        self.restart()

    def restart(self):
        self.stop()
        self.start()

    @contextlib.contextmanager
    def twin(self):
        with LlamaServer(*self.settings) as other:
            yield other.ask


def at_once(jobs):
    """Runs them all at once: what they return, and the seconds until the last ended."""
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
        begun = time.monotonic()
        results = list(pool.map(lambda job: job(), jobs))
        return results, time.monotonic() - begun


@contextlib.contextmanager
def busy(processes):
    """So many programs beside it that want a core each, all the time."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def build_hob():
    script = ". scripts/environment.sh && cargo build --quiet --workspace --release"
    subprocess.run(["bash", "-ec", script], cwd=ROOT, check=True)
    return str(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/hob")


def build_peer():
    return subprocess.run([ROOT / "scripts/build-peer"], check=True, capture_output=True, text=True).stdout.strip()
