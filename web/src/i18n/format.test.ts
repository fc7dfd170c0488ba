// @vitest-environment jsdom
import i18n from 'i18next';
import { expect, it } from 'vitest';
import { formats } from './format';
import { startLanguages } from './index';

it.each([[1, '1 токен'], [2, '2 токена'], [21, '21 токен'], [999, '999 токенов'], [1_000, '1 тыс. токенов'], [1_201, '1,2 тыс. токенов'], [2_000, '2 тыс. токенов'], [1_000_001, '1 млн токенов']])('says how many tokens %d are as one says it in Russian', async (tokens, said) => {
  await startLanguages('ru');
  const text = (key: 'chat.tokens' | 'dashboard.answerCache.tokens') => i18n.t(key, formats('ru').counted(tokens)).replace(/\s/g, ' ');
  expect([text('chat.tokens'), text('dashboard.answerCache.tokens')]).toEqual([said, said]);
});

it.each([[1, '1 token'], [1_201, '1.2K tokens']])('says how many tokens %d are in English', async (tokens, said) => {
  await startLanguages('en');
  expect(i18n.t('chat.tokens', formats('en').counted(tokens))).toBe(said);
});
