import { str } from './events';
import type { Step } from './fold';

export interface StepRow {
  /** That of the first: what was opened stays open. */
  key: string;
  step: Step;
  count: number;
}

/** Steps as they are listed. Of attempts that fail one after another in the same way, and of the waiting between them, there is one row: the last of them, and how many there were. */
export function rowsOf(steps: readonly Step[]): readonly StepRow[] {
  const rows: StepRow[] = [];
  let alike = new Map<string, StepRow>();
  for (const step of steps) {
    const sign = attemptOf(step);
    const before = alike.get(sign);
    if (sign === '') alike = new Map();
    if (before) {
      before.step = step;
      before.count++;
      continue;
    }
    const row = { key: step.key, step, count: 1 };
    rows.push(row);
    if (sign !== '') alike.set(sign, row);
  }
  return rows;
}

function attemptOf(step: Step): string {
  if (step.kind === 'model' && step.state === 'failed') return JSON.stringify([step.agent, step.purpose, step.model, step.failure, step.attempts]);
  return step.kind === 'note' && step.what === 'timer.started' ? `timer ${str(step.event, 'reason')}` : '';
}
