"""What Open WebUI asks of its two kinds of connection, as its routers/ollama.py and routers/openai.py send it, of the daemon at argv[1]."""
import json
import sys

import httpx

http = httpx.Client(base_url=sys.argv[1], timeout=60)

# A connection is checked, and its models are listed and shown.
assert http.get("/api/version").json()["version"]
tags = http.get("/api/tags").json()["models"]
assert {"name", "model", "modified_at", "size", "digest", "details"} <= set(tags[0]), tags
assert http.get("/api/ps").json()["models"] is not None
shown = http.post("/api/show", json={"model": "smollm2:latest"}).json()
assert "completion" in shown["capabilities"] and shown["details"]["family"] == "llama", shown

# A chat, with the options of its settings page; only those that were set are sent.
chat = {
    "model": "smollm2:latest",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}],
    "options": {"temperature": 0.1, "num_ctx": 2048, "num_predict": 12, "stop": ["###"], "seed": 1},
    "stream": True,
    "keep_alive": "5m",
}
with http.stream("POST", "/api/chat", json=chat) as answer:
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.iter_lines()]
assert lines[-1]["done"] and lines[-1]["eval_count"] == 12 and "".join(line["message"]["content"] for line in lines), lines

# The title of it, in a form.
title = {**chat, "stream": False, "format": {"type": "object", "properties": {"title": {"type": "string", "maxLength": 30}}, "required": ["title"]}}
title["options"] = {"num_predict": 60}
assert json.loads(http.post("/api/chat", json=title).json()["message"]["content"])["title"]

# The same over its OpenAI connection.
assert http.get("/v1/models", headers={"Authorization": "Bearer none"}).json()["data"][0]["id"]
body = {
    "model": "smollm2:latest", "messages": chat["messages"], "stream": True, "stream_options": {"include_usage": True},
    "temperature": 0.1, "max_tokens": 12, "user": "someone@home", "metadata": {"chat_id": "1"},
}
with http.stream("POST", "/v1/chat/completions", json=body, headers={"Authorization": "Bearer none"}) as answer:
    assert answer.headers["content-type"].startswith("text/event-stream") and answer.headers["x-accel-buffering"] == "no"
    data = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
assert data[-1] == "[DONE]" and json.loads(data[-2])["usage"]["completion_tokens"] == 12, data

# Its documents are searched by vectors, one by one or many at once.
for path, asked in [
    ("/api/embed", {"model": "minilm", "input": ["a", "b"]}),
    ("/v1/embeddings", {"model": "minilm", "input": ["a", "b"]}),
]:
    answer = http.post(path, json=asked).json()
    vectors = answer.get("embeddings") or [item["embedding"] for item in answer["data"]]
    assert len(vectors) == 2 and len(vectors[0]) == 384, answer
