"""OpenAI's own client against the daemon at argv[1]: asynchronous, completions, errors by class, retries, time-outs, cancellation."""
import asyncio
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import openai
from pydantic import BaseModel, Field

url = sys.argv[1]
client = openai.OpenAI(base_url=url + "/v1", api_key="unused", max_retries=0)
question = [{"role": "user", "content": "Why is the sky blue?"}]
ask = dict(model="smollm2", messages=question, temperature=0, max_tokens=20)


async def asynchronously():
    several = openai.AsyncOpenAI(base_url=url + "/v1", api_key="unused", max_retries=0)
    answers = await asyncio.gather(*(several.chat.completions.create(**ask) for _ in range(4)))
    assert all(answer.usage.completion_tokens == 20 for answer in answers), answers
    stream = await several.chat.completions.create(**ask, stream=True)
    text = "".join([part.choices[0].delta.content or "" async for part in stream])
    assert text == client.chat.completions.create(**ask).choices[0].message.content, text
    # Cancelled in mid-sentence; the next one is answered.
    long = await several.chat.completions.create(**{**ask, "max_tokens": 4000}, stream=True)
    async for part in long:
        break
    await long.close()
    await several.chat.completions.create(**{**ask, "max_tokens": 1})
    await several.close()


asyncio.run(asynchronously())


class Person(BaseModel):
    name: str = Field(max_length=20)
    years: int = Field(ge=1, le=99)


parsed = client.chat.completions.parse(**{**ask, "max_tokens": 200}, response_format=Person)
assert isinstance(parsed.choices[0].message.parsed, Person), parsed

# Completions: a text as it stands, echoed, with likelihoods, of several prompts, given as tokens.
plain = client.completions.create(model="smollm2", prompt="The capital of France is", temperature=0, max_tokens=3, echo=True, logprobs=1)
assert plain.choices[0].text.startswith("The capital of France is"), plain
assert plain.choices[0].logprobs.token_logprobs[0] is None and len(plain.choices[0].logprobs.tokens) == 8, plain
measured = client.completions.create(model="smollm2", prompt="The capital of France is", max_tokens=0, echo=True, logprobs=0)
assert measured.choices[0].text == "The capital of France is" and measured.usage.completion_tokens == 0, measured
both = client.completions.create(model="smollm2", prompt=["One, two,", "A, B,"], temperature=0, max_tokens=4, n=2)
assert [choice.index for choice in both.choices] == [0, 1, 2, 3], both
assert both.choices[0].text == both.choices[1].text != both.choices[2].text, both
tokens = httpx.post(url + "/v1/tokenize", json={"model": "smollm2", "prompt": "One, two,"}).json()["tokens"]
by_tokens = client.completions.create(model="smollm2", prompt=tokens, temperature=0, max_tokens=4)
assert by_tokens.choices[0].text == both.choices[0].text, by_tokens
pieces = list(client.completions.create(model="smollm2", prompt="One, two,", temperature=0, max_tokens=4, stream=True))
assert "".join(piece.choices[0].text for piece in pieces) == both.choices[0].text, pieces
best = client.completions.create(model="smollm2", prompt="One", max_tokens=4, n=1, best_of=3)
assert len(best.choices) == 1, best

# A token that is forbidden does not come, and one that is insisted on does.
hello = httpx.post(url + "/v1/tokenize", json={"model": "smollm2", "prompt": "Hello"}).json()["tokens"][0]
insisted = client.chat.completions.create(**{**ask, "max_tokens": 3}, logit_bias={str(hello): 100})
assert insisted.choices[0].message.content == "HelloHelloHello", insisted

# Errors by class, which say what was wrong.
for wrong, kind, words in [
    (dict(model="nope"), openai.NotFoundError, "nope"),
    (dict(temperature=9), openai.BadRequestError, "temperature"),
    (dict(messages=[]), openai.BadRequestError, "messages"),
    (dict(audio={"voice": "alloy", "format": "wav"}), openai.BadRequestError, "audio"),
    (dict(extra_body={"warmth": 3}), openai.BadRequestError, "warmth"),
]:
    try:
        client.chat.completions.create(**{**ask, **wrong})
        raise AssertionError(f"{wrong} was answered")
    except kind as error:
        assert words in str(error), error
assert client.models.retrieve("library/smollm2").id == "library/smollm2"

# A busy server is asked again, and what it says of itself comes through.
busy = []


class Busy(BaseHTTPRequestHandler):
    """Refuses the first request as a daemon whose queue is full does, and passes the rest on."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not busy:
            busy.append(1)
            answer = b'{"error":{"message":"server busy","type":"api_error","param":null,"code":null}}'
            self.send_response(503)
            self.send_header("Retry-After", "0")
        else:
            answer = httpx.post(url + self.path, content=body, timeout=60).content
            self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


door = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=door.serve_forever, daemon=True).start()
patient = openai.OpenAI(base_url=f"http://127.0.0.1:{door.server_port}/v1", api_key="unused", max_retries=2)
assert patient.chat.completions.create(**ask).choices[0].message.content and busy
door.shutdown()

# Too long for its caller: the model is free again at once.
try:
    # One that the model may not end.
    client.with_options(timeout=0.5).chat.completions.create(**{**ask, "max_tokens": 7000}, logit_bias={"2": -100})
    raise AssertionError("an answer of 7000 tokens came within half a second")
except openai.APITimeoutError:
    pass
assert client.with_options(timeout=60).chat.completions.create(**{**ask, "max_tokens": 1}).usage.completion_tokens == 1
