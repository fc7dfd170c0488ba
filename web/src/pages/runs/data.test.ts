import { expect, it } from 'vitest';
import { filtersOf, withFilter } from './data';
import { filterEvents } from './Events';

it('keeps the filters in the address, and no state that does not exist', () => {
  const params = withFilter(withFilter(new URLSearchParams('tab=x'), 'status', 'failed'), 'agent', 'meta');
  expect(params.toString()).toBe('tab=x&status=failed&agent=meta');
  expect(filtersOf(params)).toEqual({ status: 'failed', agent: 'meta', conversation: '', user: '', shared: '' });
  expect(filtersOf(withFilter(params, 'shared', 'true')).shared).toBe('true');
  expect(withFilter(params, 'status', '').toString()).toBe('tab=x&agent=meta');
  expect(filtersOf(new URLSearchParams('status=nonsense')).status).toBe('');
});

it('finds events by all words of their JSON', () => {
  const event = (seq: number, type: string) => ({ type, run_id: 'r', seq, created_at: '', tool: 'Clock' });
  const log = [event(1, 'tool.started'), event(2, 'tool.failed')];
  expect(filterEvents(log, 'clock FAILED').map((e) => e.seq)).toEqual([2]);
  expect(filterEvents(log, ' ')).toBe(log);
});
