"""Ollama's own client against the daemon at argv[1]: asynchronous, tools, forms, loading and unloading, making and removing models."""
import asyncio
import sys

import ollama
from pydantic import BaseModel, Field

client = ollama.Client(host=sys.argv[1])
question = [{"role": "user", "content": "Why is the sky blue?"}]
options = {"temperature": 0, "num_predict": 20}


async def asynchronously():
    several = ollama.AsyncClient(host=sys.argv[1])
    answers = await asyncio.gather(*(several.chat("smollm2", messages=question, options=options) for _ in range(3)))
    assert all(answer.eval_count == 20 for answer in answers), answers
    stream = await several.chat("smollm2", messages=question, options=options, stream=True)
    streamed = "".join([part.message.content async for part in stream])
    assert streamed == client.chat("smollm2", messages=question, options=options).message.content, streamed


asyncio.run(asynchronously())


class Person(BaseModel):
    name: str = Field(max_length=20)
    years: int = Field(ge=1, le=99)


answer = client.chat("smollm2", messages=question, format=Person.model_json_schema(), options={"num_predict": 100})
assert Person.model_validate_json(answer.message.content), answer

# Loading and unloading, and what is loaded meanwhile.
assert client.generate("smollm2", prompt="").done_reason == "load"
assert [model.model for model in client.ps().models] == ["smollm2:latest"]
assert client.generate("smollm2", prompt="", keep_alive=0).done_reason == "unload"

# A template of the request's own, and what the model would read.
plain = client.generate("smollm2", prompt="One, two,", template="{{ .Prompt }}", options=options)
raw = client.generate("smollm2", prompt="One, two,", raw=True, options=options)
assert plain.response == raw.response, (plain, raw)

made = client.create("brief", from_="smollm2", system="Be brief.", parameters={"temperature": 0})
assert made.status == "success" and client.show("brief").modelfile, made
client.copy("brief", "briefer")
names = {model.model for model in client.list().models}
assert {"brief:latest", "briefer:latest"} <= names, names
for name in ("brief", "briefer"):
    assert client.delete(name).status == "success"
for call in (lambda: client.show("brief"), lambda: client.chat("brief", messages=question)):
    try:
        call()
        raise AssertionError("a model that is gone was there")
    except ollama.ResponseError as error:
        assert error.status_code == 404, error
try:
    client.chat("smollm2", messages=question, options={"top_k": "many"})
    raise AssertionError("many were taken")
except ollama.ResponseError as error:
    assert error.status_code == 400 and "top_k" in error.error, error
