import { screen } from '@testing-library/react';
import { beforeAll, expect, it } from 'vitest';
import { startLanguages } from '../i18n';
import { show, tidyWorld } from '../testing/world';
import { applyAll, emptyFold } from './fold';
import { PlanGraph } from './PlanGraph';

tidyWorld();
beforeAll(() => startLanguages('ru'));

const at = (seq: number, type: string, more: Record<string, unknown> = {}) => ({ type, run_id: 'r', seq, agent: 'coordination', created_at: '2026-01-01T00:00:00Z', ...more });
const task = (id: string, more: Record<string, unknown> = {}) => ({ id, agent: 'researcher', task: `Task ${id}`, depends_on: [], ...more });
const started = (seq: number, id: string) => at(seq, 'child.started', { child_run_id: `c${seq}`, child_agent: 'researcher', task: `Task ${id}`, task_id: id });

it('says which task is tried again', async () => {
  const { fold } = applyAll(emptyFold('r'), [
    at(1, 'run.queued'), at(2, 'plan.created', { goal: 'Go', tasks: [task('a'), task('b')] }), started(3, 'a'), started(4, 'b'),
    at(5, 'child.completed', { child_run_id: 'c3', status: 'failed' }), at(6, 'plan.updated', { tasks: [task('a', { status: 'pending', tries: 1 }), task('b', { status: 'running', child_run_id: 'c4', tries: 1 })], replans: 0 }), started(7, 'a'),
  ]);
  if (!fold.plan) throw new Error('there is no plan');
  show(<PlanGraph goal={fold.plan.goal} tasks={fold.plan.tasks} />);
  expect((await screen.findAllByRole('listitem')).map((item) => item.textContent)).toEqual(['researcherв работе · попытка 2Task a', 'researcherв работеTask b']);
  expect(screen.getByRole('link', { name: 'Task a' }).getAttribute('href')).toBe('/runs/c7');
});
