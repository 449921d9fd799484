"""Responses by OpenAI's own client against the daemon at argv[1]: whole, streamed and parsed, sync and async, with tools, in the
background, kept, gone on from and deleted."""
import asyncio, json, sys
from typing import Literal

import httpx
import jsonschema
import openai
import pydantic

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0)
asked = dict(model="smollm2", temperature=0, max_output_tokens=12)
question = "Why is the sky blue?"
numbers = {"type": "array", "items": {"type": "integer"}, "minItems": 10_000}
endless = asked | dict(input="Count to a million.", max_output_tokens=4000,
                       text={"format": {"type": "json_schema", "name": "numbers", "schema": numbers}})


def refused(kind, call, *words):
    try:
        call()
    except kind as error:
        assert all(word in str(error) for word in words), error
        return error
    raise AssertionError(f"it was taken, and should be refused for {words}")


# Whole, and as all that the client's types say it is.
whole = client.responses.create(**asked, input=question, metadata={"topic": "sky"}, instructions="Be brief.")
openai.types.responses.Response.model_validate(whole.model_dump())
assert whole.status == "incomplete" and whole.incomplete_details.reason == "max_output_tokens", whole
assert whole.usage.output_tokens == 12 and whole.usage.total_tokens == whole.usage.input_tokens + 12, whole.usage
assert whole.metadata == {"topic": "sky"} and whole.instructions == "Be brief." and whole.output_text, whole

# As events.
events = list(client.responses.create(**asked, input=question, instructions="Be brief.", stream=True))
assert [event.sequence_number for event in events] == list(range(len(events))), events
assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text, events
assert events[0].type == "response.created" and events[-1].type == "response.incomplete", events
for event in events:
    type(event).model_validate(event.model_dump())
with client.responses.stream(**asked | {"max_output_tokens": 200}, input="Say only yes.") as stream:
    snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
    final = stream.get_final_response()
assert final.status == "completed" and snapshots[-1] == final.output_text, final

# In a form.
class Person(pydantic.BaseModel):
    kind: Literal["spirit", "human"]
    years: int

parsed = client.responses.parse(**asked | {"max_output_tokens": 100}, input="Make up a person.", text_format=Person)
assert isinstance(parsed.output_parsed, Person), parsed
with client.responses.stream(**asked | {"max_output_tokens": 100}, input="Make up a person.", text_format=Person) as stream:
    assert stream.get_final_response().output_parsed == parsed.output_parsed

# Gone on from, and what is kept of it.
second = client.responses.create(**asked, input="And at night?", previous_response_id=whole.id)
assert second.previous_response_id == whole.id and second.usage.input_tokens > whole.usage.input_tokens, second
kept = client.responses.retrieve(second.id, include=["message.output_text.logprobs"])
assert kept == second, (kept, second)
listed = client.responses.input_items.list(second.id)
assert [item.content[0].text for item in listed] == ["And at night?"], listed
many = client.responses.create(**asked, input=[{"role": "user", "content": f"{at}"} for at in range(5)])
texts = [item.content[0].text for item in client.responses.input_items.list(many.id, limit=2, order="asc")]
assert texts == ["0", "1", "2", "3", "4"], texts
counted = client.responses.input_tokens.count(model="smollm2", input=[{"role": "user", "content": "0"}])
assert 0 < counted.input_tokens < many.usage.input_tokens, counted

# Tools, whole and in parts, and on with the result.
class Weather(pydantic.BaseModel):
    """The weather in a city."""
    city: Literal["Oslo", "Rome"]
    days: int

tool = openai.pydantic_function_tool(Weather, name="get_weather")
tools = [{"type": "function", **tool["function"]}]
calling = asked | dict(tools=tools, tool_choice="required", max_output_tokens=100, input="What will the weather be in Oslo tomorrow?")
first = client.responses.create(**calling)
call = first.output[0]
assert call.type == "function_call" and call.name == "get_weather" and first.status == "completed", first
Weather.model_validate_json(call.arguments)
assert isinstance(client.responses.parse(**calling).output[0].parsed_arguments, dict | Weather)
parts = list(client.responses.create(**calling, stream=True))
deltas = "".join(part.delta for part in parts if part.type == "response.function_call_arguments.delta")
done = next(part for part in parts if part.type == "response.function_call_arguments.done")
assert deltas == done.arguments == call.arguments, (deltas, done, call)
result = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny, 21 degrees."}
told = client.responses.create(**calling | {"input": [result], "tool_choice": "none"}, previous_response_id=first.id)
assert "21" in told.output_text, told
# The same without anything kept: all items are sent again.
again = [{"role": "user", "content": calling["input"]}, *(item.model_dump(exclude_none=True) for item in first.output), result]
assert client.responses.create(**calling | {"input": again, "tool_choice": "none"}, store=False).output_text == told.output_text

# How likely tokens were.
likely = client.responses.create(**asked, input=question, top_logprobs=2, include=["message.output_text.logprobs"])
logprobs = likely.output[0].content[0].logprobs
assert "".join(token.token for token in logprobs) == likely.output_text and len(logprobs[0].top_logprobs) == 2, likely

# In the background: asked for until it ends, followed from an event on, cancelled.
queued = client.responses.create(**asked, input=question, background=True)
assert queued.status == "queued" and queued.background, queued
followed = list(client.responses.retrieve(queued.id, stream=True, starting_after=2))
assert followed[0].sequence_number == 3 and followed[-1].type == "response.incomplete", followed
assert client.responses.retrieve(queued.id).output_text == followed[-1].response.output_text
begun = client.responses.create(**endless, background=True)
assert client.responses.cancel(begun.id).status == "cancelled"
assert client.responses.retrieve(begun.id).status == "cancelled"

# Deleted.
client.responses.delete(whole.id)
refused(openai.NotFoundError, lambda: client.responses.retrieve(whole.id), "not found")
gone = refused(openai.BadRequestError, lambda: client.responses.create(**asked, input="a", previous_response_id=whole.id), "not found")
assert gone.code == "previous_response_not_found" and gone.param == "previous_response_id", gone
refused(openai.BadRequestError, lambda: client.responses.cancel(second.id), "Cannot cancel a synchronous response")

# What cannot be.
refused(openai.NotFoundError, lambda: client.responses.create(**asked | {"model": "nope"}, input="a"), "nope")
code = refused(openai.BadRequestError, lambda: client.responses.create(**asked, input="a", tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]), "code_interpreter")
assert code.param.startswith("tools"), code
refused(openai.BadRequestError, lambda: client.responses.create(**asked, input="a", conversation="conv_1"), "conversation")
refused(openai.BadRequestError, lambda: client.responses.create(**asked, input="a", reasoning={"effort": "high"}), "thinking")

# What is sent is what /openapi.json says.
schemas = httpx.get(sys.argv[1] + "/openapi.json").json()["components"]


def described(name, value):
    jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/Responses.{name}", "components": schemas}).validate(value)


url = sys.argv[1] + "/v1/responses"
http = httpx.Client(timeout=60)
body = calling | {"top_logprobs": 1, "reasoning": {"summary": "auto"}}
items = [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}, first.output[0].model_dump(exclude_none=True), result]
for sent in (body, body | {"input": items, "tool_choice": "none"}):
    described("CreateResponse", sent)
    answer = http.post(url, json=sent).json()
    described("Response", answer)
    for line in http.post(url, json=sent | {"stream": True}).text.splitlines():
        if line.startswith("data: "):
            described("Numbered", json.loads(line.removeprefix("data: ")))
    described("ItemList", http.get(f"{url}/{answer['id']}/input_items").json())
try:
    described("Item", {"type": "message", "role": "user", "content": "Hi", "mood": "good"})
    raise AssertionError("a field that is refused is described")
except jsonschema.ValidationError:
    pass


async def without_waiting():
    client = openai.AsyncOpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0)
    told = await client.responses.create(**asked, input=question, instructions="Be brief.")
    assert told.output_text == whole.output_text, told
    async with client.responses.stream(**asked | {"max_output_tokens": 200}, input="Say only yes.") as stream:
        assert (await stream.get_final_response()).output_text == final.output_text
    several = await asyncio.gather(*(client.responses.create(**asked, input=f"{at} and {at}?") for at in range(4)))
    assert len({response.id for response in several}) == 4
    # Whoever goes away leaves nothing behind.
    left = await client.responses.create(**endless, stream=True)
    created = await anext(aiter(left))
    await left.close()
    try:
        await client.responses.retrieve(created.response.id)
        raise AssertionError("it was kept")
    except openai.NotFoundError:
        pass


asyncio.run(without_waiting())
