"""OpenAI's own client against the daemon at argv[1]: vectors, against those of the original weights, and its errors."""
import json, math, sys
from pathlib import Path

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0)
reference = json.loads(Path(__file__).with_name("minilm_reference.json").read_text())
texts = [one["text"] for one in reference]


def check(made):
    assert [item.index for item in made.data] == list(range(len(reference))), made
    for one, item in zip(reference, made.data, strict=True):
        cosine = sum(a * b for a, b in zip(one["vector"], item.embedding))
        assert cosine > 0.9999 and abs(math.hypot(*item.embedding) - 1) < 1e-4, one["text"]
    tokens = sum(len(one["tokens"]) for one in reference)
    assert (made.usage.prompt_tokens, made.usage.total_tokens) == (tokens, tokens), made.usage


# The client asks for base64 by itself.
check(client.embeddings.create(model="minilm", input=texts))
check(client.embeddings.create(model="minilm", input=texts, encoding_format="float"))
check(client.embeddings.create(model="minilm", input=[one["tokens"] for one in reference]))
short = client.embeddings.create(model="minilm", input=reference[0]["tokens"], dimensions=64)
assert len(short.data) == 1 and len(short.data[0].embedding) == 64, short

for wrong, field in (({"input": ""}, "input"), ({"input": []}, "input"), ({"dimensions": 385}, "dimensions"),
                     ({"dimensions": 0}, "dimensions"), ({"encoding_format": "hex"}, "encoding_format")):
    try:
        client.embeddings.create(**{"model": "minilm", "input": "Hi", **wrong})
        raise AssertionError(f"{wrong} was taken")
    except openai.BadRequestError as error:
        assert error.param == field, error
try:
    client.embeddings.create(model="nope", input="Hi")
    raise AssertionError("an unknown model answered")
except openai.NotFoundError as error:
    assert error.type == "not_found_error", error
try:
    client.chat.completions.create(model="minilm", messages=[{"role": "user", "content": "Hi"}])
    raise AssertionError("an embedding model chatted")
except openai.BadRequestError as error:
    assert '"minilm" does not support chat' in error.message, error
