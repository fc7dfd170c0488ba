import { cleanup, render } from '@testing-library/react';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import i18next from 'i18next';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startLanguages } from '../i18n';
import en from '../i18n/en.json';
import ru from '../i18n/ru.json';
import { Said } from '../ui/Said';
import { saidKeys, saidLine, saidPieces, sentences } from './said';

const root = join('..', 'src');

/** What the server says of fields, and no page of ours can be told of. */
const neverMet: ReadonlySet<string> = new Set([
  // Filters of lists, which are chosen from what there is.
  'must be done, denied or failed', 'must be agent, model, tier or user', 'must be day or hour', 'must be own or all', 'must be queued, working, ready or failed', 'must be active, proposed or superseded',
  'must be pending, approved, denied, expired, decided or all', 'must be badge, or left out', 'must be one of trace, debug, info, warning, error, critical', 'must be between 1 and 1000',
  'must be queued, running, waiting_approval, waiting_input, waiting_children, waiting_timer, needs_review, completed, failed or cancelled', 'must be document:ID, agent:NAME, prompt:VERSION or user:ID, or be left out',
  'tells one\'s own runs apart; leave user away, or leave this away', 'must be 0 to 10,000,000, and not together with cursor', 'names another event than after; leave one of them away',
  // Headers, frames and the form of bodies, which browsers and our own client make.
  'must be given once, 1 to 255 printable ASCII characters without spaces', 'must be the ETag that was read, in double quotes', 'must be wait=N with N from 0 to 120 seconds', 'multipart/form-data needs a boundary of 1 to 200 characters',
  'is no readable multipart/form-data body', 'must have at most 10 parts, each with a Content-Disposition', 'has a part that is not known, or a second file; there are: file, collection, name', 'must be a string',
  'must be the id of an event: a number, or seq:n', 'must be the id of an event: a number, or number:number', 'must be an access token or an API key',
  // Amounts, which our forms send as numbers.
  'must be a number, or a decimal number as text',
  // Of files in the configuration folder.
  'the prompt is missing: write 7/7.md, or \'instructions\' here.',
  'contains a member that is given twice', 'is given twice', 'is not valid JSON', 'must be a time as RFC 3339 writes it',
]);

/** The string literals of a piece of C#, with 7 for whatever is filled in. */
function literals(code: string): string[] {
  const found: string[] = [];
  for (let i = 0; i < code.length; i++) {
    if (code.startsWith('//', i)) { i = code.indexOf('\n', i); if (i < 0) break; }
    if (code[i] !== '"') continue;
    const fills = code[i - 1] === '$';
    let text = '';
    for (i++; i < code.length && code[i] !== '"'; i++) {
      if (code[i] === '\\') text += code[++i] ?? '';
      else if (fills && code[i] === '{') { i = endOfHole(code, i); text += '7'; }
      else text += code[i] ?? '';
    }
    found.push(text);
  }
  return found;
}

/** Where the braces at `start` end; there may be strings between them. */
function endOfHole(code: string, start: number): number {
  let depth = 0;
  for (let i = start; i < code.length; i++) {
    if (code[i] === '"') i = code.indexOf('"', i + 1);
    else if (code[i] === '{') depth++;
    else if (code[i] === '}' && --depth === 0) return i;
  }
  return code.length;
}

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => entry.isDirectory() ? (/^(bin|obj|wwwroot)$/.test(entry.name) ? [] : files(join(folder, entry.name))) : entry.name.endsWith('.cs') ? [join(folder, entry.name)] : []);
}

const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const isSentence = (text: string) => /\w \w/.test(text);

/** What is said of fields: by refusals of single fields, rules across fields, and those who explain annotations, JSON and passwords. Settings are refused at start, to operators. */
function ofFields(): string[] {
  const called = files(join(root, 'RootMas.Server')).filter((file) => !file.endsWith('Options.cs')).flatMap((file) => readFileSync(file, 'utf8').split(/Problems\.Invalid\(|new ValidationResult\(|new StrictJsonException\(/).slice(1).flatMap((code) => literals(code.slice(0, code.search(/;\s*\n/)))));
  const explained = [
    read('RootMas.Server', 'Platform', 'Http', 'RequestValidation.cs').split('string Explain(')[1], read('RootMas.Server', 'Platform', 'Http', 'ExceptionProblems.cs').split('string Message) Explain(')[1]?.split('private static')[0],
    read('RootMas.Server', 'Identity', 'Users', 'PasswordPolicy.cs').split('string? Refusal(')[1]?.split('/// <summary>')[0], read('RootMas.Server', 'Identity', 'Access', 'Permissions.cs').split('string? NotScopes(')[1]?.split('private static')[0],
    read('RootMas.Server', 'Runs', 'Sse.cs').split('string? Beyond(')[1]?.split('\n')[0],
  ].flatMap((code) => literals(code ?? '').filter((text) => /^(is|must|7 is no|'7' is no)\b/.test(text)));
  expect(explained.length).toBeGreaterThan(20);
  const ofCatalog = ['AgentRules.cs', 'TeamRules.cs'].flatMap((file) => read('RootMas.Server', 'Agents', file).split(/\bError\(|\bOnly\(|string\? SchemaProblem\(/).slice(1).flatMap((code) => literals(code.slice(0, code.search(/;\s*\n/))).filter((text) => /[.]$/.test(text))));
  expect(ofCatalog.length).toBeGreaterThan(30);
  return [...called, ...explained, ...ofCatalog].filter(isSentence);
}

/** Why a call waits, why nobody knows what became of it, what a limit or a guard says. */
function ofRuns(): string[] {
  const runtime = (...path: string[]) => read('RootMas.Runtime', ...path);
  const after = (code: string, marker: RegExp) => code.split(marker).slice(1).flatMap((rest) => literals(rest.slice(0, rest.search(/;\s*\n/))));
  return [
    ...after(runtime('Runs', 'ToolStep.cs'), /var reason = /), ...files(join(root, 'RootMas.Server')).flatMap((file) => after(readFileSync(file, 'utf8'), /string\?? ApprovalReason => /)),
    ...after(runtime('Runs', 'Recovery.cs'), /Review\(run, call, /), ...after(read('RootMas.Server', 'Runs', 'RunClosing.cs'), /new RunNeedsReview\(/), ...after(runtime('Runs', 'ToolBatch.cs'), /catch \(OperationCanceledException\) when \(timeout|const string text = /),
    ...after(runtime('Runs', 'ToolBatch.cs'), /CallOutcome InDoubt\(/), ...after(runtime('Runs', 'Guards.cs'), /Stop\(|Hint\(|new\(guard, reason \+/), ...after(runtime('Runs', 'Delegation.cs'), /return \("/), ...after(runtime('Tools', 'LoopGuard.cs'), /return Decide\(/),
    ...files(join(root, 'RootMas.Runtime')).flatMap((file) => after(readFileSync(file, 'utf8'), /new GuardHinted\(|new TimerStarted\(/)),
    ...after(read('RootMas.Server', 'Runs', 'RunWaiters.cs'), /with \{ Reason = /),
  ].map((text) => text.trim()).filter((text) => / \w+ /.test(text) && /^[A-Z7]/.test(text)).map((text) => text.replace(/^7 The run/, 'The run').replace(/: 7$/, ':'));
}

describe('the sentences of the server', () => {
  beforeAll(() => startLanguages('ru'));
  afterEach(cleanup);
  const unknown = (all: string[]) => [...new Set(all)].filter((text) => !neverMet.has(text) && saidPieces(i18next.t, text).some((piece) => !piece.known)).sort();

  it('have a text where they are about a field that a page sends', () => {
    const all = ofFields();
    expect(new Set(all).size).toBeGreaterThan(60);
    expect(unknown(all), 'add them to said.ts and said.*, or say in neverMet why no page meets them').toEqual([]);
    expect([...neverMet].filter((text) => !all.includes(text)), 'what the server no longer says').toEqual([]);
  });

  it('have a text where they are about a run that waits or was stopped', () => {
    const all = ofRuns();
    expect(new Set(all).size).toBeGreaterThan(20);
    expect(unknown(all), 'add them to said.ts and said.*').toEqual([]);
  });

  it('have one in both languages, and none is left over', () => {
    for (const texts of [en.said, ru.said]) expect(Object.keys(texts).sort()).toEqual([...saidKeys].sort());
    for (const [key, text] of Object.entries(ru.said)) expect(text.replace(/\{\{\w+\}\}|JSON|NUL|USD|id|"type": "object"|none|public|API|fixed|members|edges|handoffs|delegate_patterns|concurrent|direct|plan|group_chat/g, ''), key).toMatch(/^[^A-Za-z]*$/);
    expect(Object.keys(en.activity.dropped).sort()).toEqual(/<param name="Reason">(.*)\.<\/param>\s*public sealed record CitationDropped/.exec(read('RootMas.Runtime', 'Runs', 'RunEvent.cs'))?.[1]?.split(/, (?:or )?/).sort());
  });

  it('are each known as what they are', () => {
    for (const key of saidKeys) {
      const values = Object.fromEntries([...sentences[key].matchAll(/\{([a-z]+)\}/g)].map((m, i) => [m[1] ?? '', `x${i}`]));
      expect(saidLine(i18next.t, sentences[key].replace(/\{([a-z]+)\}/g, (_, name: string) => values[name] ?? ''))).toBe(i18next.t(`said.${key}`, values));
    }
  });

  it('are told in the language of the page with what was filled in, one after the other', () => {
    const told = (text: string) => saidLine(i18next.t, text);
    expect(told('must be 8 to 256 characters long')).toBe('нужно от 8 до 256 символов');
    expect(told('http_request changes something outside.')).toBe('http_request что-то меняет за пределами этой системы.');
    expect(told('The run has 3 subtasks; the limit is 2. The agent kept asking for more, also after a hint. What was done so far is kept in the run\'s log; ask again with a smaller task, or raise the limit.'))
      .toBe(`У запуска подзадач: 3; предел — 2. ${ru.said.keptAsking} ${ru.said.keptOfLimit}`);
  });

  it('are marked as English where they are not known', () => {
    const { container } = render(<Said text="No model of the tier 'fast' answered. Two were asked. The run waits and tries again by itself." />);
    expect(container.innerHTML).toBe(`<span lang="en">No model of the tier 'fast' answered. Two were asked.</span> ${ru.said.waitsForModel}`);
    expect(render(<Said text="Something new" />).container.innerHTML).toBe('<span lang="en">Something new</span>');
  });
});
