import fc from 'fast-check';
import { expect, it } from 'vitest';
import { arrived, limits, nothing, show, withWaiting } from './activity';

const frame = (event_type: string, data: object, flow_id = 'f') => ({ event_type, flow_id, data });
const thought = (agent_id: string, thought_type: string, more: object = {}) => frame('agent_thought', { agent_id, agent_name: agent_id, message: 'm', thought_type, timestamp: '2026-11-26T08:00:00Z', ...more });

it('shows who works, what goes where, and that it is over', () => {
  let state = [frame('message_flow_start', { user_message: 'Hi' }), thought('a', 'thinking'), thought('a', 'forwarding', { target_agent: 'b' })].reduce(show, nothing);
  expect([...state.doing].map(([name, d]) => [name, d.mood])).toEqual([['a', 'forwarding'], ['b', 'receiving']]);
  expect(state.pulses.map((p) => [p.from, p.to])).toEqual([['a', 'b']]);
  expect(state.feed.map((h) => h.kind)).toEqual(['thought', 'thought', 'start']);
  expect([...state.flows]).toEqual(['f']);
  state = arrived(state, state.pulses[0]?.id ?? -1);
  state = show(state, frame('message_flow_complete', { final_response: 'Done' }));
  expect([state.pulses.length, state.doing.size, state.flows.size, state.feed[0]?.text]).toEqual([0, 0, 0, 'Done']);
});

it('leaves the agents of other flows at work when one ends', () => {
  const state = [thought('a', 'thinking'), { ...thought('b', 'thinking'), flow_id: 'g' }, frame('message_flow_complete', { final_response: '' })].reduce(show, nothing);
  expect([...state.doing.keys()]).toEqual(['b']);
});

it('survives any frame, and never grows without an end', () => {
  const any = fc.oneof(fc.anything(), fc.record({ event_type: fc.constantFrom('agent_thought', 'message_flow_start', 'message_flow_complete', 'flow_stage_update', 'x'), flow_id: fc.string(), data: fc.oneof(fc.anything(), fc.record({ agent_id: fc.oneof(fc.string(), fc.anything()), thought_type: fc.constantFrom('thinking', 'forwarding', 'x'), target_agent: fc.oneof(fc.string(), fc.anything()), message: fc.anything() })) }));
  fc.assert(fc.property(fc.array(any, { maxLength: 100 }), (frames) => {
    const state = frames.reduce<typeof nothing>(show, nothing);
    expect(state.feed.length).toBeLessThanOrEqual(limits.feed);
    expect(state.pulses.length).toBeLessThanOrEqual(limits.pulses);
  }));
});

it('tells who waits for a person: as the server says it in a thought, and as the list of runs has it', () => {
  const asks = [frame('message_flow_start', { user_message: 'Post' }), thought('a', 'thinking'), thought('b', 'thinking', { message: 'waits for an approval of http_request' })];
  const seen = (frames: readonly unknown[], status: string) => {
    const { state, waiting } = withWaiting(frames.reduce<typeof nothing>(show, nothing), [{ flow_id: 'f', status }]);
    return [[...state.doing.values()].map((d) => d.mood), [...waiting]];
  };
  expect(seen(asks, 'waiting_children')).toEqual([['thinking', 'waiting'], ['f']]);
  expect(seen([...asks, thought('b', 'thinking', { message: 'uses http_request' })], 'running')).toEqual([['thinking', 'thinking'], []]);
  expect(seen([asks[0], thought('a', 'responding', { message: 'Which city?' })], 'waiting_input')).toEqual([['waiting'], ['f']]);
  expect(seen([asks[0], thought('a', 'responding', { message: 'waits for an approval of x' })], 'running')).toEqual([['responding'], []]);
});
