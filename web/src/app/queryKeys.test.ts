import { expect, it } from 'vitest';

const files = import.meta.glob<string>(['../**/*.ts', '../**/*.tsx', '!../**/*.test.*', '!../testing/**'], { query: '?raw', import: 'default', eager: true });

interface Asked {
  file: string;
  /** Its parts: what is written there, `{}` for what is made up of names, `*` for what only a running page knows. */
  key: readonly string[];
  /** From the call to the address: who asks alike keeps alike. */
  how: string;
}

const hooks = [/\b(useQuery|useInfiniteQuery)\(\{\s*queryKey: \[([^\]]*)\]/g, /\b(usePages)<[^(]*>\(\[([^\]]*)\]/g];

function partsOf(key: string): string[] {
  return key.replace(/\{[^}]*\}/g, '{}').split(',').map((part) => part.trim()).map((part) => part === '{}' || part.startsWith("'") ? part : '*');
}

function asked(): Asked[] {
  return Object.entries(files).flatMap(([file, source]) => hooks.flatMap((hook) => [...source.matchAll(hook)].map(({ 0: match, 1: name = '', 2: key = '', index }) => {
    const rest = source.slice(index + match.length);
    const begin = name === 'usePages' ? 0 : rest.indexOf('queryFn:');
    return { file, key: partsOf(key), how: `${name} ${/^[^]*?api\.GET\('[^']*'/.exec(rest.slice(begin))?.[0] ?? rest.slice(begin)}` };
  })));
}

const mayBeOne = (a: readonly string[], b: readonly string[]) => a.length === b.length && a.every((part, i) => part === b[i] || (part === '*' && b[i] !== '{}') || (b[i] === '*' && part !== '{}'));

it('keeps one thing under each key of the cache: whoever else reads there gets what it expects', () => {
  const all = asked();
  expect(all.map(({ key }) => key.join())).toEqual(expect.arrayContaining(["'teams'", "'conversations',{}", "'users',{}", "'run',*", "'models'"]));
  const clashes = all.flatMap((a, i) => all.slice(i + 1).filter((b) => mayBeOne(a.key, b.key) && a.how !== b.how).map((b) => `[${a.key.join()}] in ${a.file} and [${b.key.join()}] in ${b.file}`));
  expect(clashes).toEqual([]);
});

it('takes nothing off the page because a later look failed: only what never came is said instead of what is shown', () => {
  const taken = Object.entries(files).flatMap(([file, source]) => source.split('\n').filter((line) => /^\s*if \((?:\w+\.)?(?:error|isError)\) return\b/.test(line)).map((line) => `${file}: ${line.trim()}`));
  expect(taken).toEqual([]);
});
