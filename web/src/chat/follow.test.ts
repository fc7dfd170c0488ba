import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSseParser } from './follow';

it('reads the same events however the stream is cut', () => {
  const text = 'retry: 2000\n\n: heartbeat\n\nid: 1\nevent: run.queued\ndata: {"a":1}\n\nid: 2:1\r\nevent: message.delta\r\ndata: {"text":"щ"}\r\n\r\ndata: one\ndata: two\n\n';
  const read = (chunks: readonly string[]) => {
    const events: unknown[] = [];
    const parse = createSseParser((e) => events.push(e));
    chunks.forEach(parse);
    return events;
  };
  const whole = read([text]);
  expect(whole).toEqual([{ id: '1', type: 'run.queued', data: '{"a":1}' }, { id: '2:1', type: 'message.delta', data: '{"text":"щ"}' }, { id: '', type: '', data: 'one\ntwo' }]);
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 20 }), (cuts) => {
    const at = [0, ...cuts.sort((a, b) => a - b), text.length];
    expect(read(at.slice(1).map((end, i) => text.slice(at[i], end)))).toEqual(whole);
  }));
});
