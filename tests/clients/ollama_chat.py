"""Ollama's own client against the daemon at argv[1]: chat and generate, streamed and not, and its errors."""
import sys
import ollama

client = ollama.Client(host=sys.argv[1])
question = [{"role": "user", "content": "Why is the sky blue?"}]
options = {"temperature": 0, "num_predict": 40}

whole = client.chat("smollm2", messages=question, options=options)
assert whole.done and whole.eval_count == 40, whole
streamed = "".join(part.message.content for part in client.chat("smollm2", messages=question, options=options, stream=True))
assert streamed == whole.message.content, (streamed, whole)

generated = client.generate("smollm2", prompt="Why is the sky blue?", options=options)
assert generated.response == streamed and generated.context, generated

assert client.list().models[0].model == "smollm2:latest"
assert client.show("smollm2").details.quantization_level == "Q4_1"
assert client.ps().models[0].context_length == 4096
try:
    client.chat("nope", messages=question)
    raise AssertionError("an unknown model answered")
except ollama.ResponseError as error:
    assert error.status_code == 404 and error.error == "model 'nope' not found", error
