import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { read, write } from '../app/storage';

export const languages = ['en', 'ru'] as const;
export type Language = (typeof languages)[number];

/** Only the one that is in use is fetched. */
const texts: Record<Language, () => Promise<{ default: object }>> = { en: () => import('./en.json'), ru: () => import('./ru.json') };

export function preferredLanguage(): Language {
  const kept = read('preference', 'language');
  const wanted = kept ? [kept] : navigator.languages;
  return wanted.map((l) => l.slice(0, 2)).find((l): l is Language => languages.some((known) => known === l)) ?? 'en';
}

async function fetchTexts(language: Language): Promise<void> {
  if (i18next.hasResourceBundle(language, 'translation')) return;
  const { default: all } = await texts[language]().catch(() => texts[language]());
  i18next.addResourceBundle(language, 'translation', all);
}

/** What was chosen last: texts come when they come, over a slow line after those of a later choice. */
let chosen: Language | undefined;

export const isChosen = (language: Language) => chosen === language;

/** Fails, and changes nothing, where the texts cannot be fetched. */
export async function setLanguage(language: Language): Promise<void> {
  chosen = language;
  await fetchTexts(language);
  if (chosen !== language) return;
  write('preference', 'language', language);
  document.documentElement.lang = language;
  await i18next.changeLanguage(language);
}

export async function startLanguages(preferred: Language = preferredLanguage()): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: preferred,
    resources: {},
    fallbackLng: false, // each has every text
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  });
  // Fails where neither is to be had. A page in the other language is better than none: without the server only the one that was in use is here.
  const language = await fetchTexts(preferred).then(() => preferred, async () => {
    const other = languages.find((l) => l !== preferred) ?? preferred;
    await fetchTexts(other);
    return other;
  });
  document.documentElement.lang = language;
  await i18next.changeLanguage(language);
}

/** Where the texts in use are: the page names those of all languages. The worker keeps what it is asked for, and the first time it comes after them. */
export function askWorkerForTexts(): void {
  const named = document.querySelector<HTMLMetaElement>('meta[name=texts]')?.content.split(' ') ?? [];
  const file = named.find((path) => path.startsWith(`/assets/${i18next.language}-`));
  if (file) fetch(file).catch(() => undefined); // it is here already; only the worker's copy is missing
}
