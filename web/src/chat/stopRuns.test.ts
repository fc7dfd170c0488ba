import { afterEach, expect, it, vi } from 'vitest';
import { Problem } from '../api/problem';
import { stopRuns } from './stopRuns';

afterEach(() => { vi.unstubAllGlobals(); });

function server(refused = ''): string[] {
  const asked: string[] = [];
  let busy = false;
  vi.stubGlobal('fetch', async (request: Request) => {
    expect(busy).toBe(false);
    busy = true;
    await Promise.resolve();
    busy = false;
    const id = request.url.split('/').at(-2) ?? '';
    asked.push(id);
    return id === refused ? Response.json({ detail: `${id} is away.` }, { status: 503 }) : Response.json({ id }, { status: 202 });
  });
  return asked;
}

it('stops what waits before what it waits for, one after the other', async () => {
  const asked = server();
  await stopRuns(['answered', 'waits', 'waits-longer']);
  expect(asked).toEqual(['waits-longer', 'waits', 'answered']);
});

it('stops the others, too, when one cannot be stopped, and says why that one could not', async () => {
  const asked = server('waits');
  await expect(stopRuns(['answered', 'waits', 'waits-longer'])).rejects.toThrow(Problem);
  expect(asked).toEqual(['waits-longer', 'waits', 'answered']);
});
