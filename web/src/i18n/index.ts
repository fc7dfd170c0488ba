import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { read, write } from '../app/storage';
import en from './en.json';
import ru from './ru.json';

export const languages = ['en', 'ru'] as const;
export type Language = (typeof languages)[number];

export function preferredLanguage(): Language {
  const kept = read('preference', 'language');
  const wanted = kept ? [kept] : navigator.languages;
  return wanted.map((l) => l.slice(0, 2)).find((l): l is Language => languages.some((known) => known === l)) ?? 'en';
}

export async function setLanguage(language: Language): Promise<void> {
  write('preference', 'language', language);
  document.documentElement.lang = language;
  await i18next.changeLanguage(language);
}

export async function startLanguages(language: Language = preferredLanguage()): Promise<void> {
  document.documentElement.lang = language;
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: 'en',
    resources: { en: { translation: en }, ru: { translation: ru } },
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  });
}
