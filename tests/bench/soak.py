"""Thousands of requests of all kinds to one daemon whose models come and go. Each answer is checked, and what the daemon
itself takes is compared: after the first requests, and after the last.

What a request is depends on the seed and its number alone; beside which others it runs, does not.
"""
import collections, functools, http.client, json, os, pathlib, random, sys, time

from scenarios import WORDS
from servers import at_once

CLIENTS = 8
# From here on the daemon should take no more than it does.
WARM = 500
GROWTH = 1.05
PATIENCE = 120
# More than may be loaded at once; the last is asked for seldom, as loading is not what takes long here.
MODELS = {"bench": 60, "second": 39, "third": 1}


class Unexpected(Exception):
    """An answer that is not what was asked for."""


def run(server, requests, seed):
    """Asks, prints what came of it, and returns what is wrong, in words."""
    for name in list(MODELS)[1:]:
        server.request("POST", "/api/copy", {"source": "bench", "destination": name}).read()
    done, errors = collections.Counter(), collections.Counter()
    begun = time.monotonic()
    ask_all(server, range(min(WARM, requests)), seed, done, errors)
    before = at_rest(server, errors)
    ask_all(server, range(WARM, requests), seed, done, errors)
    after = at_rest(server, errors)
    seconds = time.monotonic() - begun
    log = os.pread(server.log.fileno(), 1 << 28, 0).decode(errors="replace")
    errors.update({f"the log says \"{word}\"": log.count(word) for word in ("crashed", "panicked") if word in log})

    print(f"{requests} requests in {seconds:.0f} s, seed {seed}, {sum(errors.values())} errors")
    for kind, count in done.most_common():
        print(f"  {count:6} {kind}")
    for error, count in errors.most_common():
        print(f"  {count:6} ERROR {error}")
    ratio = after.resident_kb / before.resident_kb
    print(f"resident: {before.resident_kb} kB after {WARM}, {after.resident_kb} kB at the end, ratio {ratio:.3f}")
    print(f"open files: {before.files} after {WARM}, {after.files} at the end")
    if errors:
        print(log[-4000:], file=sys.stderr)
        yield "there were errors"
    if ratio > GROWTH:
        yield f"the daemon's memory grew by more than {GROWTH - 1:.0%}"
    if after.files > before.files:
        yield "the daemon's open files grew"


def ask_all(server, numbers, seed, done, errors):
    at_once([functools.partial(ask_some, server, numbers[first::CLIENTS], seed, done, errors) for first in range(CLIENTS)])


def ask_some(server, numbers, seed, done, errors):
    client = Client(server)
    for number in numbers:
        draw = random.Random(f"{seed} {number}")
        kind = draw.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
        try:
            KINDS[kind][1](client, draw)
            done[kind] += 1
        except (Unexpected, OSError, http.client.HTTPException, ValueError, KeyError, IndexError, TypeError) as error:
            client.leave()
            errors[f"{kind}: {type(error).__name__}: {error}"] += 1
        # So that connections are used again, but not by all.
        if draw.random() < 0.3:
            client.leave()
        if number % 1000 == 999:
            print(f"{number + 1} asked", file=sys.stderr)
    client.leave()


Rest = collections.namedtuple("Rest", "resident_kb files")


def at_rest(server, errors):
    """What the daemon takes when nobody asks and no model is loaded: the least of three seconds, as closing takes a moment."""
    for name in MODELS:
        server.request("POST", "/api/generate", {"model": name, "keep_alive": 0}).read()
    deadline = time.monotonic() + PATIENCE
    while json.load(server.request("GET", "/api/ps"))["models"]:
        if time.monotonic() > deadline:
            errors["a model that nobody uses stays loaded"] += 1
            break
        time.sleep(0.05)
    seen = []
    for _ in range(30):
        time.sleep(0.1)
        process = pathlib.Path(f"/proc/{server.process.pid}")
        resident_kb = int((process / "status").read_text().split("VmRSS:")[1].split()[0])
        seen.append((resident_kb, len(list((process / "fd").iterdir()))))
    return Rest(*map(min, zip(*seen)))


class Client:
    """One connection, made again when it was closed."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)

    def send(self, path, body):
        text = body if isinstance(body, str) else json.dumps(body)
        self.connection.request("POST", path, text, {"Content-Type": "application/json"})

    def post(self, path, body, status=200):
        self.send(path, body)
        return self.answer(status)

    def get(self, path):
        self.connection.request("GET", path)
        return json.loads(self.answer(200))

    def answer(self, status):
        response = self.connection.getresponse()
        text = response.read().decode()
        expect(response.status == status, f"status {response.status} in place of {status}: {text[:200]}")
        return text

    def leave(self):
        self.connection.close()


def expect(is_so, words):
    if not is_so:
        raise Unexpected(words)


# Kinds of requests, and what is checked of each answer.


def one_of(draw, models=MODELS):
    return draw.choices(list(models), list(models.values()))[0]


def asked(draw, model=None, **more):
    """A request of this family's, of a few words and fewer tokens."""
    options = {"num_predict": draw.randint(1, 4)}
    if draw.random() < 0.5:
        options["temperature"] = draw.choice([0, 0.7, 1.5])
    if draw.random() < 0.3:
        options["seed"] = draw.randrange(1000)
    return {"model": model or one_of(draw), "prompt": words(draw), "stream": draw.random() < 0.5, "options": options, **more}


def words(draw):
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 8)))


def generate(client, draw):
    body = asked(draw)
    check(body, client.post("/api/generate", body))


def chat(client, draw):
    body = asked(draw)
    body["messages"] = [{"role": "user", "content": body.pop("prompt")}]
    check(body, client.post("/api/chat", body))


def check(body, text):
    lines = [json.loads(line) for line in text.splitlines()]
    expect(body["stream"] or len(lines) == 1, f"{len(lines)} lines where one was asked for")
    expect(not any(line.get("done", True) for line in lines[:-1]), "it goes on after its end, or with an error")
    last = lines[-1]
    expect(last.get("done") is True, f"it has no end: {last}")
    expect(last["done_reason"] in ("stop", "length"), f"it ended by {last['done_reason']}")
    expect(1 <= last["eval_count"] <= body["options"]["num_predict"], f"{last['eval_count']} tokens")
    expect(last["model"] == body["model"], f"{last['model']} answers for {body['model']}")


def openai(client, draw):
    streamed = draw.random() < 0.5
    body = {"model": one_of(draw), "messages": [{"role": "user", "content": words(draw)}], "stream": streamed,
            "max_tokens": draw.randint(1, 4)}
    text = client.post("/v1/chat/completions", body)
    if not streamed:
        expect(json.loads(text)["choices"][0]["finish_reason"] in ("stop", "length"), "it has no end")
        return
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    expect(events[-1] == "[DONE]", "it has no end")
    reasons = [json.loads(event)["choices"][0]["finish_reason"] for event in events[:-1]]
    expect(not any(reasons[:-1]) and reasons[-1] in ("stop", "length"), f"it ended by {reasons}")


def leave_midway(client, draw):
    """While it waits, or after some of the answer."""
    body = asked(draw)
    body["options"]["num_predict"] = 400
    client.send("/api/generate", body)
    pieces = draw.choice([0, 0, 1, 1, 2, 5])
    if pieces and body["stream"]:
        response = client.connection.getresponse()
        for _ in range(pieces):
            response.readline()
        response.close()
    client.leave()


def unknown_model(client, draw):
    path = draw.choice(["/api/generate", "/api/chat", "/api/show", "/v1/chat/completions"])
    refused(client, path, {"model": "nobody", "messages": [{"role": "user", "content": "Hi"}]}, 404, "nobody")


def bad_json(client, draw):
    path = draw.choice(["/api/generate", "/api/chat", "/v1/chat/completions"])
    refused(client, path, draw.choice(['{"model":', "not json", '{"model":"bench","messages":"Hi","prompt":3}']), 400, "")


def bad_options(client, draw):
    name, value = draw.choice([("temperature", "hot"), ("top_p", 7), ("num_ctx", 2_000_000_000)])
    refused(client, "/api/generate", asked(draw, options={name: value}), 400, name)


def refused(client, path, body, status, said):
    error = json.loads(client.post(path, body, status))["error"]
    expect(said in str(error), f"{said!r} is not in {error}")


def context(client, draw):
    body = asked(draw)
    body["options"]["num_ctx"] = draw.choice([512, 2048])
    check(body, client.post("/api/generate", body))


def and_go(client, draw):
    body = asked(draw, keep_alive=0)
    check(body, client.post("/api/generate", body))


def unload(client, draw):
    last = json.loads(client.post("/api/generate", {"model": one_of(draw), "keep_alive": 0}))
    expect(last["done_reason"] == "unload", f"unloading ended by {last['done_reason']}")


def listing(client, draw):
    loaded = client.get("/api/ps")["models"]
    expect(all(model["size"] > 0 for model in loaded), f"a loaded model has no size: {loaded}")


def tags(client, draw):
    names = {model["name"] for model in client.get("/api/tags")["models"]}
    expect(names == {f"{name}:latest" for name in MODELS}, f"the models are {names}")


def show(client, draw):
    shown = json.loads(client.post("/api/show", {"model": one_of(draw)}))
    expect(shown["details"]["format"] == "gguf", f"shown are {shown['details']}")


# Of how many each; what loads a model again is rare.
KINDS = {
    "generate": (250, generate),
    "chat": (150, chat),
    "openai": (150, openai),
    "left midway": (50, leave_midway),
    "unknown model": (70, unknown_model),
    "bad JSON": (70, bad_json),
    "bad options": (70, bad_options),
    "ps": (70, listing),
    "tags": (60, tags),
    "show": (40, show),
    "with num_ctx": (3, context),
    "with keep_alive 0": (3, and_go),
    "unload": (3, unload),
}
