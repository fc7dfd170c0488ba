// @vitest-environment jsdom
import i18next from 'i18next';
import { expect, it } from 'vitest';
import { setLanguage, startLanguages } from './index';

it('speaks the language that was chosen last, whichever texts come last', async () => {
  await startLanguages('en');
  await Promise.all([setLanguage('ru'), setLanguage('en')]); // those of the first have to be fetched
  expect([i18next.language, document.documentElement.lang]).toEqual(['en', 'en']);
  await setLanguage('ru');
  expect([i18next.language, i18next.t('action.save')]).toEqual(['ru', 'Сохранить']);
  await setLanguage('en');
});
