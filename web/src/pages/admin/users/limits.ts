import type { SchemaUserLimits } from '../../../api/schema';

export const limitNames = ['requests', 'reads', 'runs', 'streams'] as const;
export type LimitTexts = Record<(typeof limitNames)[number], string>;

/** Limits as they stand in the fields; what is not set is empty. */
export function textsOf(limits: SchemaUserLimits | null | undefined): LimitTexts {
  const text = (value: number | null | undefined) => value === null || value === undefined ? '' : String(value);
  return { requests: text(limits?.requests), reads: text(limits?.reads), runs: text(limits?.runs), streams: text(limits?.streams) };
}

/** Limits as the server wants them; an empty field follows role and settings. What is no number goes as it is not: the fields name it first. */
export function limitsOf(texts: LimitTexts): SchemaUserLimits {
  return Object.fromEntries(limitNames.flatMap((name) => texts[name].trim() === '' ? [] : [[name, Number(texts[name].trim())]]));
}

/** Fields whose text is no whole number above zero. */
export function wrongLimits(texts: LimitTexts): readonly string[] {
  return limitNames.filter((name) => texts[name].trim() !== '' && !/^[1-9]\d{0,8}$/.test(texts[name].trim()));
}

/** Names that stand one below the other, or with commas between them. */
export function namesOf(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}
