import type { TFunction } from 'i18next';
import { asProblem } from './problem';

/** Codes whose detail has names, numbers or findings that their text has not. */
const withFacts: ReadonlySet<string> = new Set([
  'agent_in_use', // the teams
  'backup_failed', 'backup_running', // what went wrong, what runs
  'body_too_large', 'concurrent_runs', 'memory_full', 'rate_limited', 'too_many_api_keys', 'too_many_collections', 'too_many_documents', // how much is allowed, which limit, how long to wait
  'document_takes_too_long', 'document_too_large', 'document_type_unknown', 'document_unreadable', // what was found in the file
  'keys_given', // the settings
  'permission_missing', 'scope_not_allowed', // the permission
  'repeat_too_early', // the time
  'run_cancelled', 'run_needs_no_worker', // the reason, the state
]);

export interface ProblemText {
  /** In the language of the page where the code is known, else what the server says. */
  text: string;
  /** What the server says beyond that, in its own words; null: nothing. */
  facts: string | null;
}

/** What to tell people about something that failed. `ofRead`: nothing was asked for but to see it, and the page itself looks again. */
export function problemText(t: TFunction, error: unknown, ofRead = false): ProblemText {
  const problem = asProblem(error);
  if (problem.isSilent) return { text: t(ofRead ? 'error.unreachableHint' : 'error.unconfirmed'), facts: null };
  if (problem.isUnexpected) return { text: t('error.unexpected'), facts: null };
  if (problem.extra['reason'] === 'disk_full') return { text: t('error.diskFull'), facts: null };
  const known = /^[a-z]+(_[a-z]+)*$/.test(problem.code) ? t(`error.code.${problem.code}`, { defaultValue: '' }) : '';
  if (known === '') return { text: problem.message, facts: null };
  const detail = problem.extra['detail'];
  return { text: known, facts: withFacts.has(problem.code) && typeof detail === 'string' && detail !== '' ? detail : null };
}

/** All of it in one sentence or two, for what comes and goes: that it failed, why, and what to quote. */
export function problemNote(t: TFunction, error: unknown): string {
  const problem = asProblem(error);
  const quote = problem.isUnexpected ? problem.message.slice(0, 300) : problem.traceId;
  return `${t('error.failed')}. ${problem.isSilent ? `${t('error.unreachable')}.` : problemLine(t, problem)}${quote ? ` ${t('error.trace')}: ${quote}` : ''}`;
}

/** The same in one line, where there is no room for two. */
export function problemLine(t: TFunction, error: unknown, ofRead = false): string {
  const { text, facts } = problemText(t, error, ofRead);
  return facts === null ? text : `${text} ${facts}`;
}
