// Google ADK with in-memory sessions. It has no OpenAI-compatible model: this one is the thinnest that its BaseLlm allows.
import { BaseLlm, FunctionTool, InMemoryRunner, LlmAgent } from '@google/adk';
import { z } from 'zod';
import { serve, simUrl } from '../common.mjs';

const toText = (content) => (content?.parts ?? []).map((p) => p.text ?? '').join('');
const lower = (schema) => schema && typeof schema === 'object'
  ? Array.isArray(schema) ? schema.map(lower) : Object.fromEntries(Object.entries(schema).map(([k, v]) => [k, k === 'type' && typeof v === 'string' ? v.toLowerCase() : lower(v)]))
  : schema;

class SimLlm extends BaseLlm {
  constructor() { super({ model: 'sim-standard' }); }

  async *generateContentAsync(request) {
    const system = request.config?.systemInstruction;
    const messages = system ? [{ role: 'system', content: typeof system === 'string' ? system : toText(system) }] : [];
    for (const content of request.contents) {
      const calls = content.parts.filter((p) => p.functionCall);
      const results = content.parts.filter((p) => p.functionResponse);
      if (calls.length) {
        messages.push({ role: 'assistant', content: null, tool_calls: calls.map(({ functionCall: f }) => ({ id: f.id, type: 'function', function: { name: f.name, arguments: JSON.stringify(f.args) } })) });
      }
      for (const { functionResponse: r } of results) messages.push({ role: 'tool', tool_call_id: r.id, content: JSON.stringify(r.response) });
      if (!calls.length && !results.length) messages.push({ role: content.role === 'model' ? 'assistant' : 'user', content: toText(content) });
    }
    const declared = (request.config?.tools ?? []).flatMap((t) => t.functionDeclarations ?? []);
    const tools = declared.map((d) => ({ type: 'function', function: { name: d.name, description: d.description, parameters: lower(d.parameters ?? d.parametersJsonSchema) } }));
    const response = await fetch(simUrl + '/v1/chat/completions', {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: this.model, messages, ...(tools.length ? { tools } : {}) }),
    });
    const { choices: [{ message }] } = await response.json();
    const parts = message.tool_calls
      ? message.tool_calls.map((c) => ({ functionCall: { id: c.id, name: c.function.name, args: JSON.parse(c.function.arguments) } }))
      : [{ text: message.content }];
    yield { content: { role: 'model', parts } };
  }

  async connect() { throw new Error('no live connection'); }
}

const model = new SimLlm();
const runnerOf = (agent) => new InMemoryRunner({ agent, appName: 'bench' });
const answer = async (runner, text) => {
  const session = await runner.sessionService.createSession({ appName: 'bench', userId: 'u' });
  let last = '';
  for await (const event of runner.runAsync({ userId: 'u', sessionId: session.id, newMessage: { role: 'user', parts: [{ text }] } })) {
    last = toText(event.content) || last;
  }
  await runner.sessionService.deleteSession({ appName: 'bench', userId: 'u', sessionId: session.id });
  return last;
};

const calculator = new FunctionTool({ name: 'calculator', description: 'Adds.', parameters: z.object({ expression: z.string() }), execute: async () => ({ result: '5' }) });
const solo = runnerOf(new LlmAgent({ name: 'solo', model, instruction: 'Agent: solo' }));
const tooler = runnerOf(new LlmAgent({ name: 'tooler', model, instruction: 'Agent: tooler', tools: [calculator] }));
const leafRunner = runnerOf(new LlmAgent({ name: 'leaf', model, instruction: 'Agent: leaf' }));
const leaf = new FunctionTool({ name: 'leaf', description: 'Does one task.', parameters: z.object({ task: z.string() }), execute: async ({ task }) => ({ result: await answer(leafRunner, task) }) });
const fan = runnerOf(new LlmAgent({ name: 'fan', model, instruction: 'Agent: fan', tools: [leaf] }));
let next;
for (let i = 5; i >= 1; i--) next = new LlmAgent({ name: `a${i}`, description: `agent ${i}`, model, instruction: `Agent: a${i}`, subAgents: next ? [next] : [] });
const chain = runnerOf(next);

await serve({
  one: () => answer(solo, 'hello'),
  tool: () => answer(tooler, 'add 2 and 3'),
  handoff: () => answer(chain, 'go'),
  fanout: () => answer(fan, 'go'),
});
