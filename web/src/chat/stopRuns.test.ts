import { afterEach, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { stopRuns } from './stopRuns';

afterEach(() => { vi.unstubAllGlobals(); });

/** Answers what waits when all of that has come. */
function server(waiting: number, refused = ''): string[] {
  const asked: string[] = [];
  const open: (() => void)[] = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    const id = request.url.split('/').at(-2) ?? '';
    asked.push(id);
    if (id.startsWith('waits')) {
      await new Promise<void>((answer) => {
        open.push(answer);
        if (open.length === waiting) open.forEach((o) => { o(); });
      });
      asked.push(`${id} answered`);
    }
    return id === refused ? Response.json({ detail: `${id} is away.` }, { status: 503 }) : Response.json({ id }, { status: 202 });
  });
  return asked;
}

it('stops all that waits at once, and after that what it waits for', async () => {
  const asked = server(2);
  await stopRuns(['first', 'waits', 'waits-longer']);
  expect(asked).toEqual(['waits', 'waits-longer', 'waits answered', 'waits-longer answered', 'first']);
});

it('stops the others, too, when one cannot be stopped, and says why that one could not', async () => {
  const asked = server(2, 'waits');
  await expect(stopRuns(['first', 'waits', 'waits-longer'])).rejects.toThrow(Problem);
  expect(asked.at(-1)).toBe('first');
});

it('stops one that nobody waits for, and nothing where there is nothing', async () => {
  const asked = server(0);
  await stopRuns(['first']);
  await stopRuns([]);
  expect(asked).toEqual(['first']);
});
