import type { SchemaUserLimits } from '../../../api/schema';
import { numberIn } from '../../team/definitions';

type LimitName = keyof SchemaUserLimits;

/** Every limit that a user can have: one that is missing here does not compile, for it would be lost when a user is saved. */
const kinds: Record<LimitName, 'whole' | 'money'> = { requests: 'whole', reads: 'whole', runs: 'whole', streams: 'whole', spend_per_day_usd: 'money' };
export const limitNames = Object.keys(kinds) as readonly LimitName[];
export type LimitTexts = Record<LimitName, string>;

export const isMoney = (name: LimitName) => kinds[name] === 'money';

/** Limits as they stand in the fields; what is not set is empty. */
export function textsOf(limits: SchemaUserLimits | null | undefined): LimitTexts {
  return Object.fromEntries(limitNames.map((name) => [name, String(limits?.[name] ?? '')])) as LimitTexts;
}

/** Limits as the server wants them; an empty field follows role and settings. What is no number goes as it is not: the fields name it first. What the fields do not know stays as it was. */
export function limitsOf(texts: LimitTexts, before?: SchemaUserLimits | null): SchemaUserLimits {
  const others = Object.entries(before ?? {}).filter(([name]) => !(name in kinds));
  return Object.fromEntries([...others, ...limitNames.flatMap((name) => texts[name].trim() === '' ? [] : [[name, numberIn(texts[name])]])]) as SchemaUserLimits;
}

/** The limits to be sent; undefined: nothing of them was changed. */
export function changedLimits(texts: LimitTexts, before: SchemaUserLimits | null | undefined): SchemaUserLimits | undefined {
  const were = textsOf(before);
  return limitNames.every((name) => texts[name].trim() === were[name]) ? undefined : limitsOf(texts, before);
}

/** Fields whose text is no whole number above zero, or no amount. */
export function wrongLimits(texts: LimitTexts): readonly LimitName[] {
  const isRight = (name: LimitName, text: string) => isMoney(name) ? Number(numberIn(text)) <= 1_000_000_000 : /^[1-9]\d{0,8}$/.test(text);
  return limitNames.filter((name) => texts[name].trim() !== '' && !isRight(name, texts[name].trim()));
}

/** Names that stand one below the other, or with commas between them. */
export function namesOf(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}
