"""Rounds of figures as a table, and as lines of a history."""
import datetime, json, os, pathlib, platform, statistics, subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HISTORY = ROOT / "tests/bench/history.jsonl"


def summary(rounds, peer):
    """Rows of medians, and of the rounds' ratios their median: one noisy round spoils none of them."""
    rows = []
    for name, better in {name: row[1] for one in rounds for name, row in one["hob"].items()}.items():
        ours = [one["hob"][name][0] for one in rounds]
        theirs = [one[peer][name][0] for one in rounds if name in one[peer]]
        ratio = statistics.median(a / b for a, b in zip(ours, theirs)) if theirs else None
        rows.append({"name": name, "better": better, "hob": statistics.median(ours),
                     "peer": statistics.median(theirs) if theirs else None, "of": peer, "ratio": ratio})
    return rows


def show(rows, peer):
    print(f"{'':44}{'hob':>10}{peer:>22}{'ratio':>8}")
    for row in rows:
        peer = f"{row['peer']:22.1f}{row['ratio']:8.2f}" if row["ratio"] else ""
        print(f"{row['name']:44}{row['hob']:10.1f}{peer}   {row['better']} is better")


def markdown(smollm2, gemma3):
    """The README's table: of many clients, eight stand for all."""
    yield "| | Hob | llama-server | ratio | ratio, Gemma 3 270M |"
    yield "|---|---|---|---|---|"
    of_gemma = {row["name"]: row["ratio"] for row in gemma3}
    for row in smollm2:
        name = row["name"]
        if "clients" in name and not name.startswith("8 "):
            continue
        peer = f"{row['peer']:.1f} | {row['ratio']:.2f}" if row["ratio"] else "| "
        beside = of_gemma.get(name)
        yield f"| {name} | {row['hob']:.1f} | {peer} | {f'{beside:.2f}' if beside else ''} |"


def translation_markdown(rows):
    """The README's table of what Hob itself adds."""
    yield "| | Hob |"
    yield "|---|---|"
    for row in rows:
        yield f"| {row['name']} | {row['hob']:.3g} |" if row["hob"] < 1000 else f"| {row['name']} | {row['hob']:.0f} |"


def record(model, count, rows):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {"date": datetime.date.today().isoformat(), "commit": commit.stdout.strip(), "cores": os.cpu_count(),
            "machine": platform.machine(), "model": model, "rounds": count, "rows": rows}


def keep(line):
    with HISTORY.open("a") as history:
        history.write(json.dumps(line) + "\n")


def newest(model):
    """Of each row, the one of the newest run that has it."""
    lines = [json.loads(line) for line in HISTORY.read_text().splitlines()]
    return list({row["name"]: row for line in lines if line["model"] == model for row in line["rows"]}.values())
