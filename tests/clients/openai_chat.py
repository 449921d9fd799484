"""OpenAI's own client against the daemon at argv[1]: chat, streamed and not, models, and its errors."""
import sys
import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0)
ask = dict(model="smollm2", messages=[{"role": "user", "content": "Why is the sky blue?"}], temperature=0, max_tokens=40)

whole = client.chat.completions.create(**ask)
assert whole.choices[0].finish_reason == "length" and whole.usage.completion_tokens == 40, whole
parts = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
assert text == whole.choices[0].message.content, (text, whole)
assert parts[-1].usage.completion_tokens == 40 and not parts[-1].choices, parts[-1]

assert [model.id for model in client.models.list()] == ["smollm2:latest"], client.models.list()
try:
    client.chat.completions.create(**{**ask, "model": "nope"})
    raise AssertionError("an unknown model answered")
except openai.NotFoundError as error:
    assert error.type == "not_found_error", error
