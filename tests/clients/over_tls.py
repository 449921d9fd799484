"""Clients of the network, over TLS with the box's root: OpenAI's, Anthropic's, Ollama's and httpx. Run on another machine of it.

Arguments: base URL, root's file, key."""

import ssl
import sys

import anthropic
import httpx
import httpx2
import ollama
import openai

url, root, key = sys.argv[1:4]
trust = ssl.create_default_context(cafile=root)
question = [{"role": "user", "content": "Why is the sky blue?"}]

client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, http_client=httpx.Client(verify=trust))
answer = client.chat.completions.create(model="smollm2", messages=question, max_tokens=8, temperature=0)
assert answer.choices[0].message.content and answer.usage.completion_tokens == 8
words = client.chat.completions.create(model="smollm2", messages=question, max_tokens=8, temperature=0, stream=True)
assert "".join(chunk.choices[0].delta.content or "" for chunk in words if chunk.choices)
try:
    openai.OpenAI(base_url=f"{url}/v1", api_key="sk-other", http_client=httpx.Client(verify=trust), max_retries=0).models.list()
    raise AssertionError("another service's key was taken")
except openai.AuthenticationError as refused:
    assert "hob key create" in str(refused), refused

messages = anthropic.Anthropic(base_url=url, api_key=key, http_client=httpx2.Client(verify=trust))
assert messages.messages.create(model="smollm2", messages=question, max_tokens=8).content
try:
    anthropic.Anthropic(base_url=url, api_key="sk-ant", http_client=httpx2.Client(verify=trust), max_retries=0).messages.create(
        model="smollm2", messages=question, max_tokens=8
    )
    raise AssertionError("another service's key was taken")
except anthropic.AuthenticationError as refused:
    assert refused.request_id

local = ollama.Client(host=url, headers={"Authorization": f"Bearer {key}"}, verify=trust)
assert local.chat(model="smollm2", messages=question, options={"num_predict": 8}).message.content
try:
    ollama.Client(host=url, verify=trust).list()
    raise AssertionError("nobody was let in")
except ollama.ResponseError as refused:
    assert refused.status_code == 401, refused

with httpx.Client(verify=trust, http2=False) as plain:
    assert plain.get(f"{url}/healthz").status_code == 200
    assert plain.get(f"{url}/api/tags").status_code == 401
try:
    httpx.get(f"{url}/healthz")
    raise AssertionError("an authority that nobody installed was trusted")
except httpx.ConnectError as refused:
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused), refused
