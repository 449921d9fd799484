"""LiteLLM against the daemon at argv[1], by each of the routes that it has for such a server."""
import asyncio
import sys

import litellm

litellm.suppress_debug_info = True
litellm.telemetry = False
url = sys.argv[1]
ask = dict(messages=[{"role": "user", "content": "Why is the sky blue?"}], temperature=0, max_tokens=20, num_retries=0)
routes = [
    dict(model="openai/smollm2", api_base=url + "/v1", api_key="unused"),
    dict(model="ollama_chat/smollm2", api_base=url),
    dict(model="ollama/smollm2", api_base=url),
    dict(model="anthropic/smollm2", api_base=url, api_key="unused"),
]
said = {}
for route in routes:
    whole = litellm.completion(**route, **ask)
    said[route["model"]] = whole.choices[0].message.content
    assert whole.usage.completion_tokens == 20 and said[route["model"]], whole
    streamed = "".join(part.choices[0].delta.content or "" for part in litellm.completion(**route, **ask, stream=True))
    assert streamed.strip() == said[route["model"]].strip(), (route, streamed, whole)
    later = asyncio.run(litellm.acompletion(**route, **ask))
    assert later.choices[0].message.content == said[route["model"]], (route, later)
assert said["openai/smollm2"] == said["ollama_chat/smollm2"] == said["anthropic/smollm2"], said

# Errors are told apart.
try:
    litellm.completion(**{**routes[0], "model": "openai/nope"}, **ask)
    raise AssertionError("an unknown model answered")
except litellm.NotFoundError as error:
    assert "nope" in str(error), error
try:
    litellm.completion(**routes[0], **{**ask, "messages": [{"role": "user", "content": "word " * 9000}], "truncate": False})
    raise AssertionError("a prompt without an end was answered")
except litellm.BadRequestError as error:
    assert "truncate" in str(error) or "context" in str(error), error
