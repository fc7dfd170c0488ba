// @vitest-environment jsdom
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import i18next from 'i18next';
import { beforeAll, describe, expect, it } from 'vitest';
import { startLanguages } from '../i18n';
import en from '../i18n/en.json';
import ru from '../i18n/ru.json';
import { failureText } from './failures';

const root = join('..', 'src');
const file = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((m) => m[1] ?? '');

function sources(folder: string): string {
  return readdirSync(folder, { withFileTypes: true }).map((entry) => {
    if (entry.isDirectory()) return entry.name === 'bin' || entry.name === 'obj' ? '' : sources(join(folder, entry.name));
    return entry.name.endsWith('.cs') ? readFileSync(join(folder, entry.name), 'utf8') : '';
  }).join('\n');
}

/** Every way in which the runtime and the server end a run as failed; what these forms do not show is found by the counts below. */
function codes(): string[] {
  const [runtime, server] = [sources(join(root, 'RootMas.Runtime')), sources(join(root, 'RootMas.Server'))];
  const guards = [
    ...found(file('RootMas.Runtime', 'Runs', 'Guards.cs'), /\bStop\("([a-z_]+)"/g), ...found(file('RootMas.Runtime', 'Runs', 'SpentLimits.cs'), /const string \w+ = "([a-z_]+)"/g),
    ...found(file('RootMas.Runtime', 'Runs', 'Delegation.cs'), /\(\s*"([a-z_]+)", \$"/g).filter((guard) => /^(depth|children)$/.test(guard)),
    ...found(file('RootMas.Runtime', 'Tools', 'LoopGuard.cs'), /const string \w+ = "([a-z_]+)"/g),
  ];
  // What reads conversations for the memory fails in a job of its own, which no run waits for.
  const asked = server.replace(file('RootMas.Server', 'Knowledge', 'Memory', 'MemoryReader.cs'), () => '');
  const models = [...found(asked, /new ModelException\(\s*"([a-z_]+)"/g), ...found(file('RootMas.Server', 'Models', 'EndpointException.cs'), /=> "([a-z_]+)"/g)];
  // Each place that fails a run is one of these; a new one is to be looked at here.
  expect(found(runtime, /(new Fail\()/g).length).toBe(6);
  expect(found(runtime, /(Ending\.FailAsync\()/g).length).toBe(3);
  expect(found(server, /(RunClosing\.Failed\()/g).length).toBe(3);
  return [...new Set([
    ...found(runtime, /new Fail\("([a-z_]+)"/g).filter((code) => code !== 'guard_'), ...found(runtime, /Asked\(view, "\w+", "([a-z_]+)"/g), ...found(server, /RunClosing\.Failed\([^"\n]*"([a-z_]+)"/g), ...found(server, /const string WorkerLost = "([a-z_]+)"/g),
    ...guards.map((guard) => `guard_${guard}`), ...models.map((kind) => `model_${kind}`),
  ])].sort();
}

it('has a text in both languages for every code with which the server fails a run, and for no other', () => {
  const all = [...codes(), 'unknown'].sort();
  expect(all).toEqual(expect.arrayContaining(['guard_cost', 'guard_depth', 'guard_loop', 'internal', 'model_auth', 'no_answer', 'plan_invalid', 'worker_lost']));
  for (const texts of [en, ru]) expect(Object.keys(texts.runs.failure).sort()).toEqual(all);
});

describe('what people are told of a failed run', () => {
  beforeAll(() => startLanguages('ru'));

  it('is in their language, with the server’s words as a detail', () => {
    expect(failureText(i18next.t, 'model_auth', 'The key was refused.')).toEqual({ text: ru.runs.failure.model_auth, detail: 'The key was refused.' });
    expect(failureText(i18next.t, 'guard_cost', '')).toEqual({ text: ru.runs.failure.guard_cost, detail: '' });
  });

  it('is what the server says where the code is new or none', () => {
    expect(failureText(i18next.t, 'brand_new', 'Something new.')).toEqual({ text: 'Something new.', detail: '' });
    expect(failureText(i18next.t, 'a.b', '')).toEqual({ text: ru.runs.failure.unknown, detail: '' });
  });
});
