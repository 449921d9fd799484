"""What Hob adds to what a model takes: its workers answer by a script, at once, so that all the time that passes is Hob's
own, the client's and the system's. Figures are of tests/scripted; the client runs on the same cores."""
import json, pathlib, statistics, subprocess

from servers import Hob

# What may not be passed, by the end of a row's name; the rest is for reading.
LIMITS = {
    "a token, CPU, us": 50,
    "a token's way, p50, us": 300,
    "whole, p50, ms": 0.3,
    "stream, p50, ms": 0.3,
    "most memory, MiB": 150,
    "tokens lost": 0,
}
LEAST = {"requests a second": 2000}


def measure(executable, rounds):
    """Rows of medians, as the report has them."""
    figures = {}
    for _ in range(rounds):
        for name, figure, better in [row for scenario in SCENARIOS for row in scenario(executable)]:
            figures.setdefault((name, better), []).append(figure)
    return [{"name": name, "better": better, "hob": statistics.median(found), "peer": None, "of": None, "ratio": None}
            for (name, better), found in figures.items()]


def missed(rows):
    """Rows that are past their limit, in words."""
    for row in rows:
        for end, limit in LIMITS.items():
            if row["name"].endswith(end) and row["hob"] > limit:
                yield f"{row['name']}: {row['hob']:.3f}, {limit} is the limit"
        for end, least in LEAST.items():
            if row["name"].endswith(end) and row["hob"] < least:
                yield f"{row['name']}: {row['hob']:.0f}, {least} is the least"


def load(executable, what):
    """A daemon of its own for each, so that none finds what another left."""
    client = pathlib.Path(executable).with_name("scripted-load")
    # As many may wait for a model that is not loaded yet as ask for it here.
    with Hob("hob", executable, "smollm2", 64, 4096, HOB_MODELS__MAX_QUEUE="2000") as hob:
        done = subprocess.run([client, str(hob.port), str(hob.process.pid), what], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"scripted-load {what}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def tokens(executable):
    for family, figures in load(executable, "tokens").items():
        yield f"{family}: a token's way, p50, us", figures["way_p50_us"], "less"
        yield f"{family}: a token, CPU, us", figures["cpu_us"], "less"
        yield f"{family}: a token in a flood, us", figures["flood_us"], "less"
        yield f"{family}: a token in a flood, of Hob's CPU, us", figures["flood_cpu_us"], "less"


def requests(executable):
    for family, figures in load(executable, "requests").items():
        for name in ("whole", "stream"):
            yield f"{family}: a request of one token, {name}, p50, ms", figures[f"{name}_p50_ms"], "less"
            yield f"{family}: a request of one token, {name}, CPU, ms", figures[f"{name}_cpu_ms"], "less"


def streams(executable):
    figures = load(executable, "streams")
    count = figures["streams"]
    yield f"{count} streams: tokens lost", figures["lost"], "less"
    yield f"{count} streams: longest gap of the median stream, ms", figures["longest_gap_p50_ms"], "less"
    yield f"{count} streams: longest gap of all, ms", figures["longest_gap_max_ms"], "less"
    yield f"{count} streams: the slowest by the median", figures["length_max_s"] / figures["length_p50_s"], "less"
    yield f"{count} streams: a token of them, of Hob's CPU, us", figures["cpu_us_per_token"], "less"
    yield f"{count} streams: most memory, MiB", figures["most_mib"], "less"


def short(executable):
    for name, figures in load(executable, "short").items():
        yield f"{name}: requests a second", figures["a_second"], "more"


SCENARIOS = [tokens, requests, streams, short]
