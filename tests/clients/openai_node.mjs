// OpenAI's own client for JavaScript against the daemon at argv[2]: chat streamed and not, tools, forms, vectors, errors, giving up.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2] + "/v1", apiKey: "unused", maxRetries: 0 });
const question = [{ role: "user", content: "Why is the sky blue?" }];
const ask = { model: "smollm2", messages: question, temperature: 0, max_tokens: 20 };

const whole = await client.chat.completions.create(ask);
assert.equal(whole.usage.completion_tokens, 20);
let text = "";
for await (const part of await client.chat.completions.create({ ...ask, stream: true })) {
  text += part.choices[0]?.delta?.content ?? "";
}
assert.equal(text, whole.choices[0].message.content);

const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", required: ["city"], properties: { city: { enum: ["Oslo", "Rome"] } } } },
};
const calling = await client.chat.completions.create({
  ...ask, max_tokens: 60, tools: [weather], tool_choice: "required", parallel_tool_calls: false,
  messages: [{ role: "user", content: "What is the weather in Oslo?" }],
});
const [call] = calling.choices[0].message.tool_calls;
assert.equal(calling.choices[0].finish_reason, "tool_calls");
assert.ok(["Oslo", "Rome"].includes(JSON.parse(call.function.arguments).city));

const schema = { type: "object", required: ["years"], properties: { years: { type: "integer", minimum: 1, maximum: 99 } } };
const formed = await client.chat.completions.create({ ...ask, response_format: { type: "json_schema", json_schema: { name: "person", schema } } });
assert.ok(JSON.parse(formed.choices[0].message.content).years >= 1);

// In base64, which this client asks for by itself.
const made = await client.embeddings.create({ model: "minilm", input: ["a", "b"] });
assert.equal(made.data[1].embedding.length, 384);

await assert.rejects(client.chat.completions.create({ ...ask, model: "nope" }), OpenAI.NotFoundError);
await assert.rejects(client.chat.completions.create({ ...ask, temperature: 9 }), OpenAI.BadRequestError);
await assert.rejects(client.chat.completions.create({ ...ask, max_tokens: 7000 }, { timeout: 500 }), OpenAI.APIConnectionTimeoutError);
const stream = await client.chat.completions.create({ ...ask, max_tokens: 4000, stream: true });
for await (const _ of stream) break;
assert.equal((await client.chat.completions.create({ ...ask, max_tokens: 1 })).usage.completion_tokens, 1);
