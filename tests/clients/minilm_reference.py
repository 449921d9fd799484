"""What all-MiniLM-L6-v2 makes of some texts, computed from the original weights by numpy alone, 32 bits a number: how
minilm_reference.json was made. It needs the package `tokenizers` besides: minilm_reference.py FOLDER >minilm_reference.json"""
import json, math, sys
from pathlib import Path

import numpy
from tokenizers import Tokenizer

TEXTS = [
    "This is an example sentence",
    "Each sentence is converted",
    "The hob hums; outside, it is raining cats & dogs (and has been since 5 a.m.).",
    "Über den Wolken muß die Freiheit wohl grenzenlos sein: naïve café, 東京 and 🦊.",
    "",
    "one two three four five six seven eight nine ten " * 60,
]

folder = Path(sys.argv[1])
data = (folder / "model.safetensors").read_bytes()
start = 8 + int.from_bytes(data[:8], "little")
weights = {
    name: numpy.frombuffer(data[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]], "float32").reshape(entry["shape"])
    for name, entry in json.loads(data[8:start]).items() if name != "__metadata__" and entry["dtype"] == "F32"
}
config = json.loads((folder / "config.json").read_text())
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(config["max_position_embeddings"])
HEADS = config["num_attention_heads"]
erf = numpy.vectorize(math.erf, otypes=["float32"])


def linear(numbers, name):
    return numbers @ weights[name + ".weight"].T + weights[name + ".bias"]


def norm(numbers, name):
    centred = numbers - numbers.mean(-1, keepdims=True)
    scaled = centred / numpy.sqrt((centred**2).mean(-1, keepdims=True) + config["layer_norm_eps"])
    return scaled * weights[name + ".weight"] + weights[name + ".bias"]


def attention(numbers, name):
    count, width = numbers.shape
    query, key, value = (
        linear(numbers, f"{name}.self.{part}").reshape(count, HEADS, width // HEADS).transpose(1, 0, 2)
        for part in ("query", "key", "value"))
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(width // HEADS)
    scores = numpy.exp(scores - scores.max(-1, keepdims=True))
    seen = scores / scores.sum(-1, keepdims=True) @ value
    return linear(seen.transpose(1, 0, 2).reshape(count, width), f"{name}.output.dense")


def vector(tokens):
    numbers = sum(weights[f"embeddings.{table}_embeddings.weight"][rows] for table, rows in (
        ("word", tokens), ("position", range(len(tokens))), ("token_type", [0] * len(tokens))))
    numbers = norm(numbers, "embeddings.LayerNorm")
    for block in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{block}"
        numbers = norm(numbers + attention(numbers, f"{name}.attention"), f"{name}.attention.output.LayerNorm")
        wide = linear(numbers, f"{name}.intermediate.dense")
        wide = wide * (1 + erf(wide / math.sqrt(2))) / 2
        numbers = norm(numbers + linear(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    mean = numbers.mean(0)
    return mean / numpy.linalg.norm(mean)


made = [{"text": text, "tokens": tokenizer.encode(text).ids} for text in TEXTS]
for one in made:
    one["vector"] = [round(float(number), 6) for number in vector(one["tokens"])]
print("[" + ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in made) + "]")
