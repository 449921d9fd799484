// Anthropic's own client for Node.js against a daemon whose model `seeing` has a projector: anthropic_messages.mjs PACKAGES URL
import assert from "node:assert/strict";
import { installed, url } from "./installed.mjs";

const Anthropic = installed("@anthropic-ai/sdk");
const client = new Anthropic({ baseURL: url, apiKey: "unused", maxRetries: 0 });
const question = [{ role: "user", content: "Why is the sky blue?" }];
const ask = { model: "smollm2", messages: question, max_tokens: 24, temperature: 0 };
const promptTokens = (usage) => usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;

// Whole, and as it grows: the same, now that the prompt is known, or its numbers would be others in the last digits.
await client.messages.create(ask);
const { input_tokens: counted } = await client.messages.countTokens({ model: "smollm2", messages: question });
const whole = await client.messages.create(ask);
assert.equal(whole.stop_reason, "max_tokens");
assert.equal(whole.usage.output_tokens, 24);
assert.equal(promptTokens(whole.usage), counted);
const { text } = whole.content[0];
const kinds = [];
for await (const event of await client.messages.create({ ...ask, stream: true })) {
  kinds.push(event.type);
  if (event.type === "message_start") assert.equal(promptTokens(event.message.usage), counted);
}
assert.deepEqual(kinds.slice(0, 3), ["message_start", "content_block_start", "content_block_delta"]);
assert.deepEqual(kinds.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
const stream = client.messages.stream(ask);
let heard = "";
stream.on("text", (more) => (heard += more));
const final = await stream.finalMessage();
assert.equal(heard, text);
assert.deepEqual(final.content, whole.content);
assert.equal(promptTokens(final.usage), counted);

// Instructions in blocks, and a stop sequence.
const system = [{ type: "text", text: "Answer like a pirate.", cache_control: { type: "ephemeral" } }];
assert.notEqual(promptTokens((await client.messages.create({ ...ask, system })).usage), counted);
const numbers = [{ role: "user", content: "Count from 1 to 20: 1, 2, 3" }];
const stopped = await client.messages.create({ ...ask, messages: numbers, max_tokens: 60, stop_sequences: ["5"] });
assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ["stop_sequence", "5"]);

// A tool, its input as it grows, and on with the result.
const weather = {
  name: "get_weather",
  description: "The weather in a city.",
  input_schema: {
    type: "object",
    required: ["city", "note"],
    properties: { city: { type: "string", enum: ["Oslo", "Rome"] }, note: { type: "string", maxLength: 20 } },
  },
};
const asked = [{ role: "user", content: "What will the weather be in Oslo tomorrow?" }];
const call = { ...ask, messages: asked, tools: [weather], max_tokens: 200, tool_choice: { type: "any", disable_parallel_tool_use: true } };
const inputs = [];
const calling = client.messages.stream(call).on("inputJson", (part) => inputs.push(part));
const called = await calling.finalMessage();
assert.equal(called.stop_reason, "tool_use");
assert.deepEqual(called.content.map((block) => block.type), ["tool_use"]);
const [use] = called.content;
assert.ok(["Oslo", "Rome"].includes(use.input.city) && use.id.startsWith("toolu_"), JSON.stringify(use));
assert.deepEqual(JSON.parse(inputs.join("")), use.input);
assert.ok(inputs.length > 1);
const result = { type: "tool_result", tool_use_id: use.id, content: "Sunny, 21 degrees." };
const messages = [...asked, { role: "assistant", content: called.content }, { role: "user", content: [result] }];
const answer = await client.messages.create({ ...call, messages, tool_choice: { type: "none" } });
assert.match(answer.content[0].text, /21/);

// The client's own loop of calls: it asks for the conversation to be kept, and does without.
let runs = 0;
const run = () => {
  runs += 1;
  return "Sunny, 21 degrees.";
};
const runner = client.beta.messages.toolRunner({ ...call, max_iterations: 1, tools: [{ ...weather, run, parse: (input) => input }] });
await runner.runUntilDone();
assert.equal(runs, 1);

// Models.
const listed = [];
for await (const model of client.models.list({ limit: 1 })) listed.push(model.id);
assert.deepEqual(listed, ["seeing:latest", "smollm2:latest"]);
assert.equal((await client.models.retrieve("smollm2")).display_name, "smollm2");

// Errors, each of its class; and a stream that is left.
await assert.rejects(client.messages.create({ ...ask, model: "nope" }), (error) => {
  assert.ok(error instanceof Anthropic.NotFoundError);
  assert.equal(error.error.error.type, "not_found_error");
  return true;
});
await assert.rejects(client.messages.create({ ...ask, temperature: 3 }), Anthropic.BadRequestError);
await assert.rejects(client.messages.create({ ...ask, max_tokens: 3000 }, { timeout: 200 }), Anthropic.APIConnectionTimeoutError);
const left = client.messages.stream({ ...ask, max_tokens: 3000 });
left.on("text", () => left.abort());
await assert.rejects(left.finalMessage(), Anthropic.APIUserAbortError);
