"""Anthropic's own client against the daemon at argv[1], whose model `seeing` has a projector: sync and async, streamed and not."""
import asyncio, base64, struct, sys
from typing import Literal

import anthropic
import httpx2
import pydantic

url = sys.argv[1]
client = anthropic.Anthropic(base_url=url, api_key="unused", max_retries=0)
asynchronous = anthropic.AsyncAnthropic(base_url=url, api_key="unused", max_retries=0)
question = [{"role": "user", "content": "Why is the sky blue?"}]
ask = dict(model="smollm2", messages=question, max_tokens=24, extra_body={"temperature": 0})


def refused(kind, call, *words):
    try:
        call()
    except kind as error:
        assert all(word in str(error) for word in words), error
        return error
    raise AssertionError(f"it was taken, and should be refused for {words}")


def prompt_tokens(usage):
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens


# Whole, and as it grows: the same, now that the prompt is known, or its numbers would be others in the last digits.
client.messages.create(**ask)
counted = client.messages.count_tokens(model="smollm2", messages=question).input_tokens
whole = client.messages.create(**ask)
assert whole.id.startswith("msg_") and (whole.type, whole.role, whole.model) == ("message", "assistant", "smollm2"), whole
assert (whole.stop_reason, whole.stop_sequence, whole.usage.output_tokens) == ("max_tokens", None, 24), whole
assert prompt_tokens(whole.usage) == counted, (whole.usage, counted)
text = whole.content[0].text
events = list(client.messages.create(**ask, stream=True))
kinds = [event.type for event in events]
assert kinds[:2] == ["message_start", "content_block_start"], kinds
assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
assert set(kinds[2:-3]) == {"content_block_delta"}, kinds
assert "".join(event.delta.text for event in events[2:-3]) == text, events
start, end = events[0].message, events[-2]
assert start.content == [] and start.stop_reason is None and prompt_tokens(start.usage) == counted, start
assert start.usage.cache_read_input_tokens > 0, "the prompt was read before"
assert (end.usage.input_tokens, end.usage.output_tokens) == (start.usage.input_tokens, 24), end
with client.messages.stream(**ask) as stream:
    assert "".join(stream.text_stream) == text
    final = stream.get_final_message()
assert final.content[0].text == text and prompt_tokens(final.usage) == counted, final


async def asynchronously():
    whole = await asynchronous.messages.create(**ask)
    assert whole.content[0].text == text, whole
    async with asynchronous.messages.stream(**ask) as stream:
        assert "".join([part async for part in stream.text_stream]) == text
    several = await asyncio.gather(*[asynchronous.messages.create(**ask) for _ in range(3)])
    assert all(message.usage.output_tokens == 24 and message.content[0].text for message in several), several


asyncio.run(asynchronously())

# Instructions as text and in blocks, and conversations that go on.
spoken = client.messages.create(**ask, system="Answer like a pirate.")
blocks = [{"type": "text", "text": "Answer like a pirate.", "cache_control": {"type": "ephemeral"}}]
in_blocks = client.messages.create(**ask, system=blocks)
assert prompt_tokens(in_blocks.usage) == prompt_tokens(spoken.usage) != counted, (in_blocks, spoken)
further = question + [whole.to_param(), {"role": "user", "content": "Say that in one word."}]
assert client.messages.create(**ask | {"messages": further}).content, "its own answer is taken back"
nothing = client.messages.create(**ask | {"max_tokens": 0})
assert nothing.content == [] and nothing.stop_reason == "max_tokens" and nothing.usage.output_tokens == 0, nothing

# Stop sequences.
count = dict(model="smollm2", max_tokens=60, extra_body={"temperature": 0},
             messages=[{"role": "user", "content": "Count from 1 to 20: 1, 2, 3"}])
for stream in (False, True):
    if stream:
        with client.messages.stream(**count, stop_sequences=["never", "5"]) as parts:
            stopped = parts.get_final_message()
    else:
        stopped = client.messages.create(**count, stop_sequences=["never", "5"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "5"), stopped
    assert "5" not in "".join(block.text for block in stopped.content), stopped

# Tools: whole and in parts, and on with the result.
weather = {"name": "get_weather", "description": "The weather in a city.", "input_schema": {
    "type": "object", "required": ["city", "days"], "properties": {
        "city": {"type": "string", "enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}}}
clock = {"name": "now", "description": "The time.", "input_schema": {"type": "object", "properties": {}}}
asked = [{"role": "user", "content": "What will the weather be in Oslo tomorrow?"}]
call = dict(model="smollm2", messages=asked, tools=[weather, clock], max_tokens=200, extra_body={"temperature": 0},
            tool_choice={"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True})
counted = client.messages.count_tokens(**{name: call[name] for name in ("model", "messages", "tools", "tool_choice")}).input_tokens
for stream in (False, True):
    if stream:
        with client.messages.stream(**call) as parts:
            inputs = [part for part in parts if part.type == "input_json"]
            called = parts.get_final_message()
        assert len(inputs) > 1 and "".join(part.partial_json for part in inputs), "input comes as it grows"
        assert inputs[-1].snapshot == called.content[0].input, inputs
    else:
        called = client.messages.create(**call)
    assert called.stop_reason == "tool_use" and len(called.content) == 1, called
    assert prompt_tokens(called.usage) == counted, (called.usage, counted)
    use = called.content[0]
    assert use.type == "tool_use" and use.name == "get_weather" and use.id.startswith("toolu_"), use
    assert use.input["city"] in ("Oslo", "Rome") and 1 <= use.input["days"] <= 7, use
    result = {"type": "tool_result", "tool_use_id": use.id, "content": [{"type": "text", "text": "Sunny, 21 degrees."}]}
    answer = client.messages.create(**call | {"messages": asked + [called.to_param(), {"role": "user", "content": [result]}],
                                              "tool_choice": {"type": "none"}})
    assert "21" in answer.content[0].text and answer.stop_reason in ("end_turn", "max_tokens"), answer
anything = client.messages.create(**call | {"tool_choice": {"type": "any"}})
assert {block.type for block in anything.content} == {"tool_use"}, anything
refused(anthropic.BadRequestError, lambda: client.messages.create(**ask, tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        "web_search_20250305")


# The client's own loop of calls: it asks for the conversation to be kept, and does without.
ran = []


@anthropic.beta_tool
def get_forecast(city: Literal["Oslo", "Rome"]) -> str:
    """The weather in a city."""
    ran.append(city)
    return "Sunny, 21 degrees."


runner = client.beta.messages.tool_runner(model="smollm2", messages=asked, tools=[get_forecast], max_tokens=200, max_iterations=1,
                                          tool_choice={"type": "any", "disable_parallel_tool_use": True})
runner.until_done()
assert ran and set(ran) <= {"Oslo", "Rome"}, ran


# A form.
class Person(pydantic.BaseModel):
    name: str
    years: int


made = client.messages.parse(model="smollm2", messages=[{"role": "user", "content": "Make up a person."}], max_tokens=200,
                             output_format=Person, extra_body={"temperature": 0})
assert isinstance(made.parsed_output, Person), made

# Pictures: 16 by 16 pixels of one colour, as a bitmap.
def picture(blue, green, red):
    pixels = bytes([blue, green, red]) * 256
    head = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54 + len(pixels), 0, 0, 54, 40, 16, 16, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(head + pixels).decode()}}


def seen(image):
    content = [image, {"type": "text", "text": "Describe it."}]
    message = client.messages.create(**ask | {"model": "seeing", "messages": [{"role": "user", "content": content}]})
    return message.content[0].text


assert seen(picture(0, 0, 255)) != seen(picture(255, 0, 0)), "what is shown is seen"
linked = {"type": "image", "source": {"type": "url", "url": "http://169.254.169.254/"}}
refused(anthropic.BadRequestError, lambda: seen(linked), "not fetched from URLs")
shown = [{"role": "user", "content": [picture(0, 0, 255)]}]
refused(anthropic.BadRequestError, lambda: client.messages.create(**ask | {"messages": shown}), "does not support vision")

# Thoughts, of a model that has none.
for thinking in ({"type": "disabled"}, {"type": "adaptive"}, {"type": "adaptive", "display": "omitted"}):
    unthought = client.messages.create(**ask, thinking=thinking, output_config={"effort": "high"})
    assert [block.type for block in unthought.content] == ["text"], unthought
thinking = {"type": "enabled", "budget_tokens": 1024}
refused(anthropic.BadRequestError, lambda: client.messages.create(**ask | {"max_tokens": 2048}, thinking=thinking), "does not support thinking")

# The beta's client asks for the same, and is told that nothing was left out.
edits = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
beta = client.beta.messages.create(**ask, betas=["context-management-2025-06-27"], context_management=edits)
assert beta.content[0].text and beta.context_management.applied_edits == [], beta

# Models.
assert [model.id for model in client.models.list()] == ["seeing:latest", "smollm2:latest"], client.models.list()
pages = client.models.list(limit=1)
assert pages.has_more and [model.id for model in pages] == ["seeing:latest", "smollm2:latest"], pages
before = client.models.list(before_id="smollm2:latest")
assert [model.id for model in before.data] == ["seeing:latest"] and not before.has_more, before
model = client.models.retrieve("smollm2")
assert (model.id, model.type, model.lifecycle, model.max_input_tokens) == ("smollm2", "model", "active", 4096), model
assert model.created_at.year >= 2025, model
as_openai = httpx2.get(url + "/v1/models").json()
assert as_openai["object"] == "list" and as_openai["data"][0]["object"] == "model", as_openai

# Errors, each of its class.
unknown = refused(anthropic.NotFoundError, lambda: client.messages.create(**ask | {"model": "nope"}), "model 'nope' not found")
assert unknown.type == "not_found_error" and unknown.body["type"] == "error" and "request_id" in unknown.body, unknown.body
refused(anthropic.NotFoundError, lambda: client.models.retrieve("nope"), "not_found_error")
refused(anthropic.NotFoundError, lambda: client.messages.batches.list(), "/v1/messages/batches")
prefilled = question + [{"role": "assistant", "content": "Because"}]
refused(anthropic.BadRequestError, lambda: client.messages.create(**ask | {"messages": prefilled}), "does not support assistant message prefill")
refused(anthropic.BadRequestError, lambda: client.messages.create(**ask | {"extra_body": {"warmth": 9}}), "warmth")
refused(anthropic.BadRequestError, lambda: client.post("/v1/messages", body={"model": "smollm2", "messages": question}, cast_to=object),
        "missing field `max_tokens`")
long = [{"role": "user", "content": "sky " * 9000}]
refused(anthropic.BadRequestError, lambda: client.messages.create(**ask | {"messages": long}), "prompt is too long: ", "4095 maximum")
assert client.messages.count_tokens(model="smollm2", messages=long).input_tokens > 9000
httpx2.post(url + "/api/generate", json={"model": "smollm2", "keep_alive": 0}).raise_for_status()
full = client.messages.create(**ask | {"max_tokens": 4000, "extra_body": {"temperature": 0, "options": {"num_ctx": 64}}})
assert full.stop_reason == "model_context_window_exceeded" and prompt_tokens(full.usage) + full.usage.output_tokens == 64, full

# How full the queue is.
headers = client.messages.with_raw_response.create(**ask).headers
assert headers["anthropic-ratelimit-requests-limit"] == headers["anthropic-ratelimit-requests-remaining"] == "512", headers
assert headers["anthropic-ratelimit-requests-reset"].endswith("Z"), headers
