"""Answers that are bound to schemas, by Ollama's and OpenAI's own clients, checked by an independent validator:
formats.py URL [ANSWERS]"""
import concurrent.futures, json, sys

import jsonschema
import ollama
import openai

from schemas import SCHEMAS

url, answers = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
of_ollama = ollama.Client(host=url)
of_openai = openai.OpenAI(base_url=url + "/v1", api_key="unused", max_retries=0)


def ask(number):
    schema = SCHEMAS[number % len(SCHEMAS)]
    messages = [{"role": "user", "content": "Make something up: a short example."}]
    # The penalties keep so small a model from saying 1.00000 without an end, which is a number.
    if number % 2:
        options = {"temperature": 1.0, "seed": number, "num_predict": 400, "repeat_penalty": 1.3}
        answer = of_ollama.chat("smollm2", messages=messages, format=schema, options=options)
        text, ended = answer.message.content, answer.done_reason
    else:
        form = {"type": "json_schema", "json_schema": {"name": "example", "strict": True, "schema": schema}}
        parts = list(of_openai.chat.completions.create(
            model="smollm2", messages=messages, response_format=form, temperature=1.0, seed=number, max_tokens=400, stream=True,
            frequency_penalty=1.0))
        text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
        ended = parts[-1].choices[0].finish_reason
    assert ended == "stop", (number, ended, text)
    jsonschema.validate(json.loads(text), schema, format_checker=jsonschema.FormatChecker())


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(ask, range(answers)))

either = of_ollama.generate("smollm2", prompt="Give an example.", format="json", options={"temperature": 0, "num_predict": 400})
assert either.response.lstrip().startswith("{"), either
assert either.done_reason == "length" or isinstance(json.loads(either.response), dict), either
for refused in ({"type": "array", "uniqueItems": True}, {"type": "nothing"}):
    try:
        of_ollama.generate("smollm2", prompt="Hi", format=refused)
        raise AssertionError(f"{refused} was taken")
    except ollama.ResponseError as error:
        assert error.status_code == 400 and "invalid format" in error.error, error
try:
    of_openai.chat.completions.create(model="smollm2", messages=[{"role": "user", "content": "Hi"}],
                                      response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "nothing"}}})
    raise AssertionError("it was taken")
except openai.BadRequestError as error:
    assert "nothing" in error.message, error
