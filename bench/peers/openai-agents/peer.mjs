// OpenAI Agents SDK on its chat completions model, tracing off.
import { Agent, OpenAIChatCompletionsModel, Runner, setTracingDisabled, tool } from '@openai/agents';
import OpenAI from 'openai';
import { z } from 'zod';
import { serve, simUrl } from '../common.mjs';

setTracingDisabled(true);
const model = new OpenAIChatCompletionsModel(new OpenAI({ baseURL: simUrl + '/v1', apiKey: 'k' }), 'sim-standard');
const runner = new Runner({ tracingDisabled: true });
const answer = async (agent, input) => (await runner.run(agent, input)).finalOutput;

const calculator = tool({ name: 'calculator', description: 'Adds.', parameters: z.object({ expression: z.string() }), execute: async () => '5' });
const leafAgent = new Agent({ name: 'leaf', instructions: 'Agent: leaf', model });
const leaf = tool({ name: 'leaf', description: 'Does one task.', parameters: z.object({ task: z.string() }), execute: ({ task }) => answer(leafAgent, task) });
const solo = new Agent({ name: 'solo', instructions: 'Agent: solo', model });
const tooler = new Agent({ name: 'tooler', instructions: 'Agent: tooler', model, tools: [calculator] });
const fan = new Agent({ name: 'fan', instructions: 'Agent: fan', model, tools: [leaf] });
let next;
for (let i = 5; i >= 1; i--) next = new Agent({ name: `a${i}`, instructions: `Agent: a${i}`, model, handoffs: next ? [next] : [] });
const first = next;

await serve({
  one: () => answer(solo, 'hello'),
  tool: () => answer(tooler, 'add 2 and 3'),
  handoff: () => answer(first, 'go'),
  fanout: () => answer(fan, 'go'),
});
