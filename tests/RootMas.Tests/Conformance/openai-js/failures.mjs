// What the official JavaScript client, unchanged, makes of streams that fail when they have begun: node failures.mjs <base-url> <token> <simulator>
import assert from "node:assert/strict";
import OpenAI from "openai";

const [server, token, simulator] = process.argv.slice(2);
const control = (what) => fetch(`${simulator}/_sim/${what}`, { method: "POST" });
const client = new OpenAI({
  baseURL: `${server}/v1`,
  apiKey: token,
  maxRetries: 0,
  // The model says nothing before the client has the status of its stream.
  fetch: async (url, init) => {
    const response = await fetch(url, init);
    await control("release");
    return response;
  },
});

for (const [name, begins] of Object.entries({ nothing: "", half: "These words" })) {
  await control("hold");
  const stream = await client.chat.completions.create({ model: "solo", stream: true, messages: [{ role: "user", content: name }] });
  let text = "";
  const read = async () => {
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
  };
  await assert.rejects(read, (e) => e instanceof OpenAI.APIError && e.code === "model_invalid_answer");
  assert.ok(text.startsWith(begins), text);
  assert.equal(text === "", begins === "");
  console.log(`ok ${name}`);
}
