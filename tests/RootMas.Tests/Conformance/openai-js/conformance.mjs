// The official JavaScript client, unchanged, against a running server: node conformance.mjs <base-url>
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: process.argv[3], maxRetries: 0 });
const ask = (content, more = {}) => ({ model: "solo", messages: [{ role: "user", content }], ...more });

const checks = {
  async models() {
    const ids = [];
    for await (const model of client.models.list()) {
      ids.push(model.id);
    }
    assert.ok(ids.includes("root-mas"));
    assert.ok(ids.includes("agent:communicator"));
    assert.equal((await client.models.retrieve("solo")).id, "solo");
  },

  async completion() {
    const answer = await client.chat.completions.create(ask("Hi", { temperature: 0.2, seed: 1, user: "u", store: false }));
    assert.equal(answer.object, "chat.completion");
    assert.equal(answer.choices[0].message.content, "Hello there, friend.");
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
  },

  async streaming() {
    const stream = await client.chat.completions.create(ask("Hi", { stream: true, stream_options: { include_usage: true } }));
    let text = "";
    let roles = 0;
    let usage = null;
    const ids = new Set();
    const reasons = [];
    for await (const chunk of stream) {
      ids.add(chunk.id);
      usage = chunk.usage ?? usage;
      text += chunk.choices[0]?.delta.content ?? "";
      roles += chunk.choices[0]?.delta.role ? 1 : 0;
      if (chunk.choices[0]?.finish_reason) {
        reasons.push(chunk.choices[0].finish_reason);
      }
    }
    assert.equal(text, "Hello there, friend.");
    assert.equal(ids.size, 1);
    assert.equal(roles, 1);
    assert.deepEqual(reasons, ["stop"]);
    assert.ok(usage.completion_tokens > 0);
  },

  async streamHelper() {
    const runner = client.chat.completions.stream(ask("Hi"));
    let pieces = 0;
    runner.on("content", () => pieces++);
    assert.equal(await runner.finalContent(), "Hello there, friend.");
    assert.ok(pieces > 0);
  },

  async history() {
    const answer = await client.chat.completions.create({
      model: "agent:communicator",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "Hi" }] },
        { role: "assistant", content: "Hello" },
        { role: "user", content: "Again" },
      ],
    });
    assert.equal(answer.choices[0].message.content, "Hello there, friend.");
  },

  async jsonMode() {
    const answer = await client.chat.completions.create(ask("json please", { response_format: { type: "json_object" } }));
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), { city: "Kazan" });
    const parsed = await client.chat.completions.parse(ask("json please", {
      response_format: { type: "json_schema", json_schema: { name: "place", strict: true, schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } } },
    }));
    assert.deepEqual(JSON.parse(parsed.choices[0].message.content), { city: "Kazan" });
  },

  async errors() {
    await assert.rejects(client.chat.completions.create({ ...ask("Hi"), model: "nobody" }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
    await assert.rejects(client.chat.completions.create(ask("Hi", { n: 2 })), (e) => e instanceof OpenAI.BadRequestError && e.code === "unsupported_parameter" && e.param === "n");
    await assert.rejects(client.chat.completions.create(ask("Hi", { stream: true, temperature: 9 })), (e) => e instanceof OpenAI.BadRequestError && e.param === "temperature");
    await assert.rejects(client.models.retrieve("nobody"), OpenAI.NotFoundError);
  },

  async abort() {
    const stream = await client.chat.completions.create(ask("slow please", { stream: true }));
    let chunks = 0;
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content && ++chunks === 2) {
        stream.controller.abort();
        break;
      }
    }
    assert.equal(chunks, 2);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
