// @vitest-environment jsdom
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import i18next from 'i18next';
import { beforeAll, describe, expect, it } from 'vitest';
import { startLanguages } from '../i18n';
import en from '../i18n/en.json';
import ru from '../i18n/ru.json';
import { Problem } from './problem';
import { problemLine, problemNote, problemText } from './problemText';

const root = '..';

/** Codes that no page of ours can meet, each with the reason. */
const neverMet: Readonly<Record<string, string>> = {
  admin_secret_invalid: 'no page sends the administrators’ secret',
  already_subscribed: 'a page subscribes to a run once on each socket',
  ambiguous_length: 'browsers say the length once',
  authorization_malformed: 'pages come with the cookie',
  client_closed_request: 'whoever went away reads no answer',
  content_filter: 'of the OpenAI-compatible API',
  context_length_exceeded: 'of the OpenAI-compatible API',
  host_not_allowed: 'under such a name the page itself does not open',
  https_required: 'over http the page itself does not open',
  invalid_chunk: 'browsers frame their bodies well',
  invalid_idempotency_key: 'keys are UUIDs',
  invalid_token: 'pages send no tokens',
  invalid_value: 'of the OpenAI-compatible API',
  local_token_not_local: 'pages do not have the token of the data directory',
  other_user: 'a page’s socket is of one user',
  refresh_token_invalid: 'pages have no refresh tokens',
  role_not_allowed: 'no page makes tokens for others',
  rollback_impossible: 'no page asks for a rollback',
  unknown_frame: 'pages send known frames only',
  unsupported_parameter: 'of the OpenAI-compatible API',
  upgrade_required: 'sockets are opened as such',
  user_not_allowed: 'no page speaks for others',
};

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return entry.name === 'bin' || entry.name === 'obj' ? [] : sources(join(folder, entry.name));
    return entry.name.endsWith('.cs') ? [readFileSync(join(folder, entry.name), 'utf8')] : [];
  });
}

/** Every code that the server's description names, and every one that its source gives to a refusal. */
function codes(): string[] {
  const described = [...readFileSync(join(root, 'docs', 'openapi.json'), 'utf8').matchAll(/"code": "([a-z_]+)"/g)];
  const said = sources(join(root, 'src', 'RootMas.Server')).flatMap((text) => [
    ...text.matchAll(/Problems\.(?!Invalid\b|TooManyRequests\b)\w+\(\s*(?:\d+,\s*)?"([a-z]+(?:_[a-z]+)*)"/g), ...text.matchAll(/\.Refuses\(\d+, "([a-z_]+)"/g), ...text.matchAll(/new ExtractionException\(\s*"([a-z_]+)"/g),
  ]);
  return [...new Set([...described, ...said].map((m) => m[1] ?? ''))].sort();
}

describe('the texts of refusals', () => {
  it('has one in both languages for every code of the server that a page can meet', () => {
    const all = codes();
    expect(all.length).toBeGreaterThan(80);
    for (const [language, texts] of [['en', en.error.code], ['ru', ru.error.code]] as const) {
      const missing = all.filter((code) => !(code in texts) && !(code in neverMet));
      expect(missing, `codes without a text in ${language}.json: add error.code.*, or say in neverMet why no page meets them`).toEqual([]);
    }
    expect(Object.keys(neverMet).filter((code) => !all.includes(code)), 'codes that the server no longer has').toEqual([]);
    expect(Object.keys(neverMet).filter((code) => code in en.error.code), 'codes that are never met, and have a text').toEqual([]);
  });
});

describe('what people are told', () => {
  beforeAll(() => startLanguages('ru'));

  it('is in their language, with the server’s words only where they say more', () => {
    const problem = (code: string, detail: string) => problemText(i18next.t, new Problem(409, { code, detail }));
    expect(problem('last_admin', 'Nobody else can administer this server.')).toEqual({ text: ru.error.code.last_admin, facts: null });
    expect(problem('rate_limited', 'The limit `requests` is used up.')).toEqual({ text: ru.error.code.rate_limited, facts: 'The limit `requests` is used up.' });
    expect(problemLine(i18next.t, new Problem(429, { code: 'rate_limited', detail: 'In 7 s.' }))).toBe(`${ru.error.code.rate_limited} In 7 s.`);
  });

  it('names the full disk, which is no database that is away', () => {
    const outage = { code: 'storage_unavailable', detail: 'Nothing can be saved.' };
    expect(problemText(i18next.t, new Problem(503, { ...outage, reason: 'disk_full' }))).toEqual({ text: ru.error.diskFull, facts: null });
    expect(problemText(i18next.t, new Problem(503, outage)).text).toBe(ru.error.code.storage_unavailable);
  });

  it('is what the server says where the code is new or none', () => {
    expect(problemText(i18next.t, new Problem(409, { code: 'brand_new', detail: 'Something new.' }))).toEqual({ text: 'Something new.', facts: null });
    expect(problemText(i18next.t, new Problem(418, { code: 'a.b:c', title: 'Odd' }))).toEqual({ text: 'Odd', facts: null });
    expect(problemText(i18next.t, new Problem(404, {})).text).toBe('HTTP 404');
  });

  it('is short where it comes and goes, with what to quote', () => {
    expect(problemNote(i18next.t, new Problem(429, { code: 'rate_limited', trace_id: 'trace-1' }))).toBe(`${ru.error.failed}. ${ru.error.code.rate_limited} ${ru.error.trace}: trace-1`);
    expect(problemNote(i18next.t, Problem.unreachable(new TypeError('Failed to fetch')))).toBe(`${ru.error.failed}. ${ru.error.unreachable}.`);
    expect(problemNote(i18next.t, new TypeError('x is undefined'))).toContain('x is undefined');
  });
});
