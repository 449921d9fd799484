"""The examples of the page's part Connect, as they are shown: in a shell, in Python and in Node, from another machine.

Arguments: base URL, root's file, key, model, folder with Node's packages."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

url, root, key, model, packages = sys.argv[1:6]
shown = pathlib.Path(__file__).parents[2] / "web/src/pages/connect/examples.json"
filling = {"address": url, "key": key, "model": model, "root": "hob.pem"}
holds = {"root": True, "remote": True, "local": False}


def filled(line):
    """As `examples.ts` does it."""
    kept = re.sub(r"\{(root|local|remote)\?((?:[^{}]|\{\w+\})*)\}", lambda found: found[2] if holds[found[1]] else "", line)
    return re.sub(r"\{(address|key|model|root)\}", lambda found: filling[found[1]], kept)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    (folder / "hob.pem").write_bytes(pathlib.Path(root).read_bytes())
    (folder / "node_modules").symlink_to(pathlib.Path(packages) / "node_modules")
    starts = {"sh": ("example.sh", "sh"), "python": ("example.py", sys.executable), "node": ("example.mjs", "node")}
    ran = []
    for example in json.loads(shown.read_text()):
        if "run" not in example:
            continue
        file, program = starts[example["run"]]
        (folder / file).write_text("\n".join(map(filled, example["lines"])) + "\n")
        trust = filled(example.get("trust", ":"))
        run = subprocess.run(["sh", "-c", f"{trust}\n{program} {file}"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        what = f"{example['client']}: {example['title']}"
        assert run.returncode == 0 and run.stdout.strip(), f"{what}: {run}"
        assert '"error"' not in run.stdout, f"{what}: {run.stdout}"
        ran.append(what)
    assert len(ran) >= 9, ran
