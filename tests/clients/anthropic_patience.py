"""Anthropic's own client against a daemon at argv[1] that has room for one model, and for one request that waits: it comes
again, gives up in time, and what nobody waits for any more is not computed."""
import sys, threading, time

import anthropic
import httpx2

url = sys.argv[1]
client = anthropic.Anthropic(base_url=url, api_key="unused", max_retries=0)
endless = dict(model="smollm2", max_tokens=3000, messages=[{"role": "user", "content": "Count to a thousand: 1, 2, 3,"}],
               extra_body={"temperature": 0, "options": {"num_ctx": 4096}})
for name in ("second", "third"):
    httpx2.post(url + "/api/copy", json={"source": "smollm2", "destination": name}).raise_for_status()


def of(name):
    """What goes on with a model."""
    models = httpx2.get(url + "/admin/api/models").json()["models"]
    return next((model for model in models if model["name"] == name + ":latest"), {"running": 0, "waiting": 0})


def await_that(is_so):
    begun = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun < 60, "it never was so"


def short(name):
    return dict(model=name, max_tokens=2, messages=[{"role": "user", "content": "Hi"}])


# A stream that is closed is computed no further.
with client.messages.stream(**endless) as stream:
    next(iter(stream))
    await_that(lambda: of("smollm2")["running"] == 1)
await_that(lambda: of("smollm2")["running"] == 0)

# Nor is an answer that came too late.
try:
    client.with_options(timeout=0.5).messages.create(**endless)
    raise AssertionError("it took no time")
except anthropic.APITimeoutError:
    pass
await_that(lambda: of("smollm2")["running"] == 0)

# Who finds the queue full is told so, and comes again.
answering = client.messages.create(**endless, stream=True)
next(iter(answering))
waiting = threading.Thread(target=lambda: client.messages.create(**short("second")))
waiting.start()
await_that(lambda: of("second")["waiting"] == 1)
try:
    client.messages.create(**short("third"))
    raise AssertionError("there was no room")
except anthropic.InternalServerError as error:
    assert isinstance(error, anthropic._exceptions.OverloadedError) and error.type == "overloaded_error", error
    assert error.status_code == 529 and error.response.headers["retry-after"] == "1", error.response.headers
    assert error.response.headers["anthropic-ratelimit-requests-remaining"] == "0", error.response.headers
statuses = []


def seen(response):
    statuses.append(response.status_code)
    answering.close()


patient = anthropic.Anthropic(base_url=url, api_key="unused", max_retries=20,
                              http_client=anthropic.DefaultHttpxClient(event_hooks={"response": [seen]}))
answer = patient.messages.create(**short("third"))
assert answer.usage.output_tokens == 2 and statuses[0] == 529 and statuses[-1] == 200, statuses
waiting.join()
