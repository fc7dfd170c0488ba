import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../chat/events';
import { startLanguages } from '../../i18n';
import type { Logs } from '../../chat/treeLog';
import { extent, rowsOf, spansOf } from './spans';
import { Timeline } from './Timeline';

const at = (runId: string, seq: number, type: string, more: Record<string, unknown> = {}): RunEvent => ({ type, run_id: runId, seq, agent: 'communicator', created_at: '2026-01-01T00:00:00Z', ...more });
const log = [at('r', 1, 'run.queued'), at('r', 2, 'tool.started', { call: 1, tool: 'delegate' }), at('r', 3, 'child.started', { child_run_id: 'c', child_agent: 'meta', task: 'think', call: 1 }), at('r', 4, 'tool.started', { call: 2, tool: 'clock' })];
const logs: Logs = new Map([['r', log], ['c', [at('c', 1, 'run.queued'), at('c', 2, 'tool.started', { call: 1, tool: 'calculator' })]]]);

beforeEach(async () => {
  await startLanguages('en');
  vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(600);
  vi.spyOn(Element.prototype, 'clientWidth', 'get').mockReturnValue(800);
});
afterEach(cleanup);

function Tree({ many = 0 }: { many?: number }) {
  const [choices, setChoices] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [selected, setSelected] = useState('');
  const [all] = useState(() => [...log, ...Array.from({ length: many }, (_, i) => at('r', 5 + i, 'tool.started', { call: 3 + i, tool: `t${i}` }))]);
  const { root } = spansOf(all);
  if (!root) return null;
  const rows = rowsOf(root, logs, (span) => choices.get(span.id));
  return <Timeline rows={rows} range={extent(rows, 0)} now={0} loading={new Set()} selected={selected} onSelect={setSelected} onToggle={(row, open) => { setChoices(new Map(choices).set(row.span.id, open)); }} />;
}

const chosen = () => document.getElementById(screen.getByRole('treegrid').getAttribute('aria-activedescendant') ?? '')?.querySelector('[title]')?.getAttribute('title');
const press = (...names: string[]) => { names.forEach((key) => fireEvent.keyDown(screen.getByRole('treegrid'), { key })); };

it('goes through the tree by arrow keys: down, in, open, out, shut', () => {
  render(<Tree />);
  expect(chosen()).toBe('communicator');
  press('ArrowDown', 'ArrowRight');
  expect(chosen()).toBe('meta: think');
  expect(screen.queryByText('calculator')).toBeNull();
  press('ArrowRight');
  expect(screen.getByText('calculator')).toBeTruthy();
  press('ArrowRight');
  expect(chosen()).toBe('calculator');
  press('ArrowLeft');
  expect(chosen()).toBe('meta: think');
  press('ArrowLeft');
  expect(screen.queryByText('calculator')).toBeNull();
  press('End');
  expect(chosen()).toBe('clock');
  press('Home', 'Enter');
  expect(screen.getAllByRole('row')).toHaveLength(2);
});

it('tells how deep and how many, and draws only what is to be seen', () => {
  render(<Tree many={3_000} />);
  expect(screen.getByRole('treegrid').getAttribute('aria-rowcount')).toBe('3005');
  expect(screen.getAllByRole('row').length).toBeLessThan(60);
  const row = screen.getByText('meta: think').closest('[role=row]');
  expect(row?.getAttribute('aria-level')).toBe('3');
  expect(row?.getAttribute('aria-expanded')).toBe('false');
});
