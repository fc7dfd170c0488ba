import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import en from './en.json';
import ru from './ru.json';

type Texts = { [key: string]: string | Texts };

function flat(texts: Texts, prefix = ''): Map<string, string> {
  return new Map(Object.entries(texts).flatMap(([key, value]) => typeof value === 'string' ? [[prefix + key, value] as const] : [...flat(value, `${prefix}${key}.`)]));
}

const base = (key: string) => key.replace(/_(zero|one|two|few|many|other)$/, '');
const placeholders = (text: string) => [...text.matchAll(/\{\{\s*(\w+)/g)].map((m) => m[1]).sort().join(',');

it('has every text in both languages, with the same placeholders', () => {
  const [english, russian] = [flat(en), flat(ru)];
  expect([...new Set([...russian.keys()].map(base))].sort()).toEqual([...new Set([...english.keys()].map(base))].sort());
  for (const [key, text] of english) {
    expect(text.trim(), key).not.toBe('');
    const twins = [...russian].filter(([other]) => base(other) === base(key));
    for (const [other, translated] of twins) expect(placeholders(translated), `${other}: ${translated}`).toBe(placeholders(text));
  }
});

it.each(Object.entries({ en, ru }))('has in %s every plural form that the language knows, and no other', (language, texts) => {
  const forms = new Map<string, string[]>();
  for (const key of flat(texts).keys()) {
    const form = /_(zero|one|two|few|many|other)$/.exec(key)?.[1];
    if (form) forms.set(base(key), [...forms.get(base(key)) ?? [], form]);
  }
  const known = [...new Intl.PluralRules(language).resolvedOptions().pluralCategories].sort();
  expect(known).toContain('other');
  expect(forms.size).toBeGreaterThan(5);
  for (const [key, given] of forms) expect(given.sort(), key).toEqual(known);
});

it('has one Russian word for a conversation', () => {
  const guide = readFileSync('../docs/user-guide.ru.md', 'utf8').split('\n').map((line, i) => [`user-guide.ru.md:${i + 1}`, line] as const);
  expect([...flat(ru), ...guide].filter(([, text]) => /бесед/i.test(text)).map(([where]) => where), 'it is called «разговор»').toEqual([]);
});

it('calls the page of the administration in Russian what it is called', () => {
  expect([...flat(ru)].filter(([, text]) => text.includes('Администрирование')).map(([key]) => key)).toEqual([]);
  expect([ru.nav.admin, ru.runs.any, ru.runs.anyAgent]).toEqual(['Управление', 'Любое', 'Любой']); // a state, an agent
});
