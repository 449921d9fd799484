"""The page in the box, in Debian's chromium: what a first visit loads, when it can be typed into, and whether a long answer that
streams holds up its frames. Workers answer by a script (tests/scripted), so that the browser has the cores but for Hob's own work."""
import json, pathlib, statistics, subprocess

from servers import CACHE, Hob

SCRIPT = pathlib.Path(__file__).with_name("page.mjs")

# What may not be passed.
LIMITS = {
    "a first visit, compressed bytes": 60_000,
    "until the page can be typed into, ms": 500,
    "10,000 tokens: frames over 100 ms": 0,
}


def measure(executable, rounds):
    """Rows of medians, as the report has them."""
    figures = {}
    with Hob("hob", executable, "smollm2", 4, 32768) as hob:
        for _ in range(rounds):
            command = ["node", SCRIPT, CACHE / "node", f"http://127.0.0.1:{hob.port}"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"page.mjs: {done.stdout}{done.stderr}")
            for name, figure in json.loads(done.stdout).items():
                figures.setdefault(name, []).append(figure)
    return [{"name": name, "better": "more" if name.endswith("a second") else "less", "hob": statistics.median(found), "peer": None, "of": None, "ratio": None}
            for name, found in figures.items()]


def missed(rows):
    """Rows that are past their limit, in words."""
    for row in rows:
        limit = LIMITS.get(row["name"])
        if limit is not None and row["hob"] > limit:
            yield f"{row['name']}: {row['hob']:.1f}, {limit} is the limit"
