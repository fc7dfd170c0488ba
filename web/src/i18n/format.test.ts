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

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

it.each([
  [0, 'now', 'сейчас'], [59.6 * 1_000, 'now', 'сейчас'], [minute, '1 minute ago', '1 минуту назад'], [59.4 * minute, '59 minutes ago', '59 минут назад'], [59.6 * minute, '1 hour ago', '1 час назад'],
  [23.6 * hour, '1 day ago', '1 день назад'], [25 * hour, '1 day ago', '1 день назад'], [6.6 * day, '1 week ago', '1 неделю назад'], [25 * day, '4 weeks ago', '4 недели назад'], [40 * day, '1 month ago', '1 месяц назад'],
  [350 * day, '1 year ago', '1 год назад'], [-59.6 * minute, 'in 1 hour', 'через 1 час'], [-2 * day, 'in 2 days', 'через 2 дня'],
])('says how long ago something was in numbers, and no "yesterday" that may have been another day (%d ms)', (elapsed, english, russian) => {
  const now = Date.parse('2026-05-10T01:00:00Z');
  expect(['en', 'ru'].map((language) => formats(language).ago(new Date(now - elapsed), now).replace(/\s/g, ' '))).toEqual([english, russian]);
});

it.each([[0, '0 bytes', '0 байт'], [1, '1 byte', '1 байт'], [9, '9 bytes', '9 байт'], [2, '2 bytes', '2 байта'], [1_500, '1.5 kB', '1,5 кБ']])('says how large %d bytes are', (count, english, russian) => {
  expect(['en', 'ru'].map((language) => formats(language).bytes(count).replace(/\s/g, ' '))).toEqual([english, russian]);
});

it.each([
  [999, '999 ms', '999 мс'], [1_500, '1.5 sec', '1,5 с'], [59_940, '59.9 sec', '59,9 с'], [59_960, '1 min', '1 мин'], [90_000, '1 min 30 sec', '1 мин 30 с'], [100_400, '1 min 40 sec', '1 мин 40 с'], [2 * minute, '2 min', '2 мин'],
  [119_600, '2 min', '2 мин'], [hour - 1_000, '59 min 59 sec', '59 мин 59 с'], [hour - 400, '1 hr', '1 ч'], [1.5 * hour, '1.5 hr', '1,5 ч'],
])('says how long %d ms are, and is off by no half of a minute', (elapsed, english, russian) => {
  expect(['en', 'ru'].map((language) => formats(language).duration(elapsed).replace(/\s/g, ' '))).toEqual([english, russian]);
});

it('says a price as it was set, and what was spent in cents', () => {
  const { money, price } = formats('en');
  expect(['0.075', 0.0000125, 3, 0.15, 0].map(price)).toEqual(['$0.075', '$0.000013', '$3.00', '$0.15', '$0.00']);
  expect([money('0.075'), money(0.0012), money(12)]).toEqual(['$0.08', '$0.0012', '$12.00']);
  expect(formats('ru').price('0.075').replace(/\s/g, ' ')).toBe('0,075 $');
});
