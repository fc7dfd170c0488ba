// LangGraph.js: the prebuilt tool-calling agent, and a graph for the handoffs. With PG_URL every step is written by its PostgreSQL checkpointer.
import { randomUUID } from 'node:crypto';
import { Command, END, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { createReactAgent } from '@langchain/langgraph/prebuilt';
import { ChatOpenAI } from '@langchain/openai';
import { ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { z } from 'zod';
import { serve, simUrl } from '../common.mjs';

let checkpointer;
if (process.env.PG_URL) {
  const { PostgresSaver } = await import('@langchain/langgraph-checkpoint-postgres');
  checkpointer = PostgresSaver.fromConnString(process.env.PG_URL);
  await checkpointer.setup();
}

const llm = new ChatOpenAI({ model: 'sim-standard', apiKey: 'k', configuration: { baseURL: simUrl + '/v1' }, maxRetries: 0 });
const answer = async (graph, input) => {
  const state = await graph.invoke({ messages: [{ role: 'user', content: input }] }, { configurable: { thread_id: randomUUID() }, recursionLimit: 50 });
  return state.messages.at(-1).content;
};

const calculator = tool(async () => '5', { name: 'calculator', description: 'Adds.', schema: z.object({ expression: z.string() }) });
const agent = (name, tools = [], keep = checkpointer) => createReactAgent({ llm, tools, prompt: `Agent: ${name}`, checkpointer: keep });
const solo = agent('solo');
const tooler = agent('tooler', [calculator]);
const leafAgent = agent('leaf');
const leaf = tool(({ task }) => answer(leafAgent, task), { name: 'leaf', description: 'Does one task.', schema: z.object({ task: z.string() }) });
const fan = agent('fan', [leaf]);

// Five model calls with a tool between each two: the sum is worked out, the model's script goes by it.
const sum = tool(async ({ expression }) => String(expression.split('+').reduce((a, b) => a + Number(b), 0)), { name: 'calculator', description: 'Adds.', schema: z.object({ expression: z.string() }) });
const stepper = agent('stepper', [sum]);

const graph = new StateGraph(MessagesAnnotation);
for (let i = 1; i <= 5; i++) {
  const handover = tool(async () => 'ok', { name: `transfer_to_a${i + 1}`, description: 'Hands over.', schema: z.object({}) });
  const bound = i < 5 ? llm.bindTools([handover]) : llm;
  graph.addNode(`a${i}`, async (state) => {
    const message = await bound.invoke([{ role: 'system', content: `Agent: a${i}` }, ...state.messages]);
    const call = message.tool_calls?.[0];
    return call
      ? new Command({ goto: `a${i + 1}`, update: { messages: [message, new ToolMessage({ content: 'ok', tool_call_id: call.id })] } })
      : new Command({ goto: END, update: { messages: [message] } });
  }, { ends: [i < 5 ? `a${i + 1}` : END] });
}
graph.addEdge(START, 'a1');
const chain = graph.compile({ checkpointer });

await serve({
  one: () => answer(solo, 'hello'),
  tool: () => answer(tooler, 'add 2 and 3'),
  handoff: () => answer(chain, 'go'),
  fanout: () => answer(fan, 'go'),
  loop: () => answer(stepper, 'go'),
});
