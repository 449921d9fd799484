"""Ollama's own client against the daemon at argv[1]: vectors, against those of the original weights, and its errors."""
import json, math, sys
from pathlib import Path

import ollama

client = ollama.Client(host=sys.argv[1])
reference = json.loads(Path(__file__).with_name("minilm_reference.json").read_text())
texts = [one["text"] for one in reference]


def cosine(one, other):
    assert len(one) == len(other), (len(one), len(other))
    return sum(a * b for a, b in zip(one, other)) / (math.hypot(*one) * math.hypot(*other))


made = client.embed("minilm", input=texts)
assert made.prompt_eval_count == sum(len(one["tokens"]) for one in reference), made.prompt_eval_count
for one, vector in zip(reference, made.embeddings, strict=True):
    assert cosine(one["vector"], vector) > 0.9999 and abs(math.hypot(*vector) - 1) < 1e-4, one["text"]

single = client.embed("minilm", input=texts[0], dimensions=64)
assert len(single.embeddings[0]) == 64 and abs(math.hypot(*single.embeddings[0]) - 1) < 1e-4, single
assert cosine(single.embeddings[0], reference[0]["vector"][:64]) > 0.9999, single
old = client.embeddings("minilm", prompt=texts[0])
assert cosine(old.embedding, reference[0]["vector"]) > 0.9999 and abs(math.hypot(*old.embedding) - 1) > 0.1, old
assert client.embed("minilm", input=[]).embeddings == [], "nothing in, nothing out"

try:
    client.embed("nope", input="Hi")
    raise AssertionError("an unknown model answered")
except ollama.ResponseError as error:
    assert (error.status_code, error.error) == (404, 'model "nope" not found, try pulling it first'), error
try:
    client.embed("minilm", input=texts[-1], truncate=False)
    raise AssertionError("what is too long was taken")
except ollama.ResponseError as error:
    assert (error.status_code, error.error) == (400, "the input length exceeds the context length"), error
try:
    client.generate("minilm", prompt="Hi")
    raise AssertionError("an embedding model went on with a text")
except ollama.ResponseError as error:
    assert (error.status_code, error.error) == (400, '"minilm" does not support generate'), error
