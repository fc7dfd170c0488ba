import { useId, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { PlanTask } from './fold';
import styles from './PlanGraph.module.css';

const [width, height, gapX, gapY] = [208, 62, 44, 16];

interface Placed {
  task: PlanTask;
  x: number;
  y: number;
}

/** Tasks stand to the right of what they depend on. */
export function layout(tasks: readonly PlanTask[]): { placed: Placed[]; width: number; height: number } {
  const byId = new Map(tasks.map((t) => [t.id, t]));
  const levels = new Map<string, number>();
  const level = (id: string, seen: ReadonlySet<string>): number => {
    const known = levels.get(id);
    if (known !== undefined) return known;
    const task = byId.get(id);
    if (!task || seen.has(id)) return -1; // unknown or a ring: a hostile plan must not hang the page
    const deepest = Math.max(-1, ...task.depends_on.map((d) => level(d, new Set([...seen, id]))));
    levels.set(id, deepest + 1);
    return deepest + 1;
  };
  const rows = new Map<number, number>();
  const placed = tasks.map((task) => {
    const column = level(task.id, new Set());
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return { task, x: column * (width + gapX), y: row * (height + gapY) };
  });
  return { placed, width: Math.max(0, ...placed.map((p) => p.x + width)), height: Math.max(0, ...placed.map((p) => p.y + height)) };
}

/** The plan as it stands: a picture of the tasks for the eye, and the same as a list for everybody. */
export function PlanGraph({ goal, tasks }: { goal: string; tasks: readonly PlanTask[] }) {
  const { t } = useTranslation();
  const id = useId();
  const graph = useMemo(() => layout(tasks), [tasks]);
  const at = new Map(graph.placed.map((p) => [p.task.id, p]));
  const done = tasks.filter((task) => task.status === 'done').length;
  return (
    <figure className={styles.plan} aria-labelledby={id}>
      <figcaption id={id}><strong>{t('plan.title')}</strong> <bdi>{goal}</bdi> <span className={styles.count}>{t('plan.progress', { done, count: tasks.length })}</span></figcaption>
      <div className={styles.scroll} tabIndex={0} role="group" aria-labelledby={id}>
        <div className={styles.canvas} style={{ width: graph.width, height: graph.height }}>
          <svg width={graph.width} height={graph.height} aria-hidden>
            {graph.placed.flatMap(({ task, x, y }) => task.depends_on.map((d) => {
              const from = at.get(d);
              if (!from) return null;
              const [x1, y1, x2, y2] = [from.x + width, from.y + height / 2, x, y + height / 2];
              return <path key={`${d}>${task.id}`} d={`M${x1} ${y1} C${x1 + gapX / 2} ${y1} ${x2 - gapX / 2} ${y2} ${x2} ${y2}`} />;
            }))}
          </svg>
          <ul>
            {graph.placed.map(({ task, x, y }) => (
              <li key={task.id} className={styles.task} data-status={task.status} style={{ left: x, top: y, width, height }} title={task.task}>
                <span className={styles.agent}><span className={styles.name}>{task.agent}</span><span className={styles.status}>{[t(`plan.status.${statusOf(task.status)}`), (task.tries ?? 0) > 1 && t('plan.try', { number: task.tries })].filter(Boolean).join(' · ')}</span></span>
                <span className={styles.text}>{task.child_run_id ? <Link to={`/runs/${task.child_run_id}`}>{task.task}</Link> : task.task}</span>
              </li>
            ))}
          </ul>
        </div>
      </div>
    </figure>
  );
}

const statuses = ['pending', 'running', 'late', 'done', 'failed', 'dropped'] as const;

function statusOf(status: string) {
  return statuses.find((s) => s === status) ?? 'pending';
}
