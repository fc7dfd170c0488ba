// Vercel AI SDK: generateText with its own tool loop. It knows no handoff: the chain is written by hand, as its documentation does.
import { generateText, stepCountIs, tool } from 'ai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { z } from 'zod';
import { serve, simUrl } from '../common.mjs';

const model = createOpenAICompatible({ name: 'sim', baseURL: simUrl + '/v1', apiKey: 'k' })('sim-standard');
const calculator = tool({ description: 'Adds.', inputSchema: z.object({ expression: z.string() }), execute: async () => '5' });
const leaf = tool({
  description: 'Does one task.',
  inputSchema: z.object({ task: z.string() }),
  execute: async ({ task }) => (await generateText({ model, system: 'Agent: leaf', prompt: task })).text,
});

await serve({
  one: async () => (await generateText({ model, system: 'Agent: solo', prompt: 'hello' })).text,
  tool: async () => (await generateText({ model, system: 'Agent: tooler', prompt: 'add 2 and 3', tools: { calculator }, stopWhen: stepCountIs(5) })).text,
  handoff: async () => {
    const messages = [{ role: 'user', content: 'go' }];
    for (let i = 1; ; i++) {
      const tools = i < 5 ? { [`transfer_to_a${i + 1}`]: tool({ description: 'Hands over.', inputSchema: z.object({}) }) } : undefined;
      const result = await generateText({ model, system: `Agent: a${i}`, messages, tools });
      if (result.toolCalls.length === 0) return result.text;
      messages.push(...result.response.messages);
      messages.push({ role: 'tool', content: result.toolCalls.map((c) => ({ type: 'tool-result', toolCallId: c.toolCallId, toolName: c.toolName, output: { type: 'text', value: 'ok' } })) });
    }
  },
  fanout: async () => (await generateText({ model, system: 'Agent: fan', prompt: 'go', tools: { leaf }, stopWhen: stepCountIs(5) })).text,
});
