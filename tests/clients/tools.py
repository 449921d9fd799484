"""Calls of tools, log-probabilities and several answers at once, by Ollama's and OpenAI's own clients: tools.py URL"""
import json, math, sys

import ollama
import openai

url = sys.argv[1]
of_ollama = ollama.Client(host=url)
of_openai = openai.OpenAI(base_url=url + "/v1", api_key="unused", max_retries=0)
weather = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather in a city.",
    "parameters": {"type": "object", "required": ["city", "days"], "properties": {
        "city": {"type": "string", "enum": ["Oslo", "Rome"]}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}}}}
clock = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}
tools = [weather, clock]
question = {"role": "user", "content": "What will the weather be in Oslo tomorrow?"}


def check(name, arguments):
    if name == "get_weather":
        assert arguments["city"] in ("Oslo", "Rome") and 1 <= arguments["days"] <= 7, arguments
    else:
        assert name == "now" and arguments == {}, (name, arguments)


def refused(call, *words):
    try:
        call()
    except (ollama.ResponseError, openai.BadRequestError) as error:
        assert error.status_code == 400 and all(word in str(error) for word in words), error
    else:
        raise AssertionError(f"it was taken, and should be refused for {words}")


# OpenAI's: whole and in parts, and on with the result.
for stream in (False, True):
    asked = dict(model="smollm2", messages=[question], tools=tools, temperature=0, max_tokens=200)
    if stream:
        parts = list(of_openai.chat.completions.create(**asked, tool_choice="required", stream=True))
        calls = [call for part in parts for call in part.choices[0].delta.tool_calls or []]
        assert calls[0].id and calls[0].function.name and calls[0].index == 0, calls
        assert len(calls) > 1 and not any(call.id or call.function.name for call in calls[1:] if call.index == 0), calls
        assert parts[-1].choices[0].finish_reason == "tool_calls", parts[-1]
        called, name = calls[0].id, calls[0].function.name
        arguments = "".join(call.function.arguments for call in calls if call.index == 0)
    else:
        choice = of_openai.chat.completions.create(**asked, tool_choice="required").choices[0]
        assert choice.finish_reason == "tool_calls" and not choice.message.content, choice
        call = choice.message.tool_calls[0]
        called, name, arguments = call.id, call.function.name, call.function.arguments
    check(name, json.loads(arguments))
    turn = {"role": "assistant", "content": None, "tool_calls": [
        {"id": called, "type": "function", "function": {"name": name, "arguments": arguments}}]}
    result = {"role": "tool", "tool_call_id": called, "content": "Sunny, 21 degrees."}
    answer = of_openai.chat.completions.create(**asked | {"messages": [question, turn, result]}, tool_choice="none", stream=False)
    assert "21" in answer.choices[0].message.content and not answer.choices[0].message.tool_calls, answer
named = of_openai.chat.completions.create(model="smollm2", messages=[question], tools=tools, max_tokens=200,
                                          tool_choice={"type": "function", "function": {"name": "now"}})
assert named.choices[0].message.tool_calls[0].function.name == "now", named

# Ollama's, which has no tool_choice of its own: here it may be said.
body = dict(model="smollm2", messages=[question], tools=tools, options={"temperature": 0, "num_predict": 200}, tool_choice="required")
for stream in (False, True):
    answer = of_ollama._client.post("/api/chat", json=body | {"stream": stream})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    calls = [call for line in lines for call in line["message"].get("tool_calls", [])]
    assert lines[-1]["done"] and lines[-1]["done_reason"] == "stop", lines
    check(calls[0]["function"]["name"], calls[0]["function"]["arguments"])
    assert calls[0]["id"].startswith("call_") and calls[0]["function"]["index"] == 0, calls
turn = {"role": "assistant", "content": "", "tool_calls": calls[:1]}
result = {"role": "tool", "tool_name": calls[0]["function"]["name"], "content": "Sunny, 21 degrees."}
answer = of_ollama.chat("smollm2", messages=[question, turn, result], options={"temperature": 0})
assert "21" in answer.message.content, answer
free = of_ollama.chat("smollm2", messages=[question], tools=tools, options={"temperature": 0, "num_predict": 40})
assert free.message.content or free.message.tool_calls, free

# How likely tokens were.
told = of_openai.chat.completions.create(model="smollm2", messages=[question], logprobs=True, top_logprobs=2, max_tokens=8, temperature=0)
content = told.choices[0].logprobs.content
assert "".join(token.token for token in content) == told.choices[0].message.content, told
assert all(len(token.top_logprobs) == 2 and token.top_logprobs[0].token == token.token for token in content), content
parts = list(of_openai.chat.completions.create(model="smollm2", messages=[question], logprobs=True, max_tokens=8, temperature=0, stream=True))
tokens = [token for part in parts if part.choices[0].logprobs for token in part.choices[0].logprobs.content]
assert [token.token for token in tokens] == [token.token for token in content], tokens
# Rows that are computed together round otherwise.
assert all(math.isclose(one.logprob, other.logprob, abs_tol=0.1) for one, other in zip(tokens, content))
native = of_ollama.generate("smollm2", prompt="Hi", logprobs=True, top_logprobs=3, options={"num_predict": 5, "temperature": 0})
assert len(native.logprobs) == 5 and len(native.logprobs[0].top_logprobs) == 3, native

# Several answers, one prompt.
several = of_openai.chat.completions.create(model="smollm2", messages=[question], n=3, seed=1, temperature=1.2, max_tokens=12)
assert [choice.index for choice in several.choices] == [0, 1, 2], several
assert len({choice.message.content for choice in several.choices}) > 1, several
assert several.usage.completion_tokens > 12 and several.usage.prompt_tokens < 60, several.usage
parts = list(of_openai.chat.completions.create(model="smollm2", messages=[question], n=2, temperature=0, max_tokens=6, stream=True))
texts = ["".join(part.choices[0].delta.content or "" for part in parts if part.choices[0].index == index) for index in (0, 1)]
assert texts[0] and texts[0] == texts[1], texts
assert sum(part.choices[0].finish_reason is not None for part in parts) == 2, parts

# What cannot be.
twice = dict(model="smollm2", messages=[question], tools=[clock, clock])
refused(lambda: of_openai.chat.completions.create(**twice), "two tools", "now")
broken = {"type": "function", "function": {"name": "t", "parameters": {"type": "object", "properties": {"a": {"type": "nothing"}}}}}
refused(lambda: of_openai.chat.completions.create(model="smollm2", messages=[question], tools=[broken], tool_choice="required"), "nothing", "t")
refused(lambda: of_ollama.chat("smollm2", messages=[question], think=True), '"smollm2" does not support thinking')
refused(lambda: of_ollama.generate("smollm2", prompt="a", suffix="b"), "registry.ollama.ai/library/smollm2:latest does not support insert")
refused(lambda: of_ollama.generate("smollm2", prompt="a", logprobs=True, top_logprobs=21), "between 0 and 20")
