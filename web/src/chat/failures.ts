import type { TFunction } from 'i18next';

export interface FailureText {
  /** In the language of the page where the code is known, else what the server says. */
  text: string;
  /** What the server says of this case, in its own words; empty: nothing beyond that. */
  detail: string;
}

/** Why a run failed, for people. `reason`: empty where what was said is not shown to whoever looks. */
export function failureText(t: TFunction, code: string, reason: string): FailureText {
  const known = /^[a-z]+(_[a-z]+)*$/.test(code) ? t(`runs.failure.${code}`, { defaultValue: '' }) : '';
  return known === '' ? { text: reason || t('runs.failure.unknown'), detail: '' } : { text: known, detail: reason };
}

/** Why an answer is not whole though its run was completed; empty: it is whole. */
export function cutText(t: TFunction, cutBy: string | null | undefined): string {
  return !cutBy ? '' : t(cutBy === 'content_filter' ? 'chat.cutByFilter' : 'chat.cutByLength');
}
