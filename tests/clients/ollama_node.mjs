// Ollama's own client for JavaScript against the daemon at argv[2]: chat streamed and not, forms, vectors, errors, giving up.
import assert from "node:assert/strict";
import { Ollama } from "ollama";

const client = new Ollama({ host: process.argv[2] });
const messages = [{ role: "user", content: "Why is the sky blue?" }];
const ask = { model: "smollm2", messages, options: { temperature: 0, num_predict: 20 } };

const whole = await client.chat(ask);
assert.equal(whole.eval_count, 20);
let text = "";
for await (const part of await client.chat({ ...ask, stream: true })) text += part.message.content;
assert.equal(text, whole.message.content);

const format = { type: "object", required: ["years"], properties: { years: { type: "integer", minimum: 1, maximum: 99 } } };
assert.ok(JSON.parse((await client.chat({ ...ask, format })).message.content).years >= 1);
assert.equal((await client.embed({ model: "minilm", input: ["a", "b"] })).embeddings[1].length, 384);
assert.ok((await client.list()).models.some((model) => model.model === "smollm2:latest"));
assert.equal((await client.show({ model: "smollm2" })).details.family, "llama");

await assert.rejects(client.chat({ ...ask, model: "nope" }), /model 'nope' not found/);
const stream = await client.chat({ ...ask, options: { num_predict: 4000 }, stream: true });
await assert.rejects(async () => {
  for await (const _ of stream) stream.abort();
}, { name: "AbortError" });
assert.equal((await client.chat({ ...ask, options: { num_predict: 1 } })).eval_count, 1);
