import { cleanup, render } from '@testing-library/react';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { startLanguages } from '../../i18n';
import { Chart } from './Chart';

beforeAll(() => startLanguages('en'));
afterEach(cleanup);

const chart = (kind: 'bars' | 'lines', keys: readonly (string | null)[]) => (
  <Chart title="Usage" kind={kind} series={keys.map((key) => ({ key, values: [1, 2] }))} nameOf={(key) => key === null ? 'All others' : key || '(no agent)'} labels={['Mon', 'Tue']} format={String} />
);

it.each(['bars', 'lines'] as const)('leaves nothing of another grouping behind, neither of no agent nor of all others: %s', (kind) => {
  const { container, rerender } = render(chart(kind, ['a', '', null]));
  const count = (what: string) => container.querySelectorAll(what).length;
  expect([count('li'), count('[data-series]'), count('th')]).toEqual([3, 6, 4]);
  rerender(chart(kind, ['m']));
  expect([count('li'), count('svg [data-series]'), count('th')]).toEqual([1, 1, 2]);
});

it('names the day below the first hour of it that has room on the axis, and leaves the clock to the others', () => {
  const hours = Array.from({ length: 48 }, (_, i) => ({ time: `${(i + 14) % 24}:00`, day: `day ${Math.floor((i + 14) / 24)}` }));
  const { container } = render(<Chart title="Usage" kind="bars" series={[{ key: 'a', values: hours.map(() => 1) }]} nameOf={String} labels={hours.map((h) => `${h.day}, ${h.time}`)} clock={hours} format={String} />);
  const shown = [...container.querySelectorAll('svg > text')].map((text) => text.textContent);
  expect(shown).toEqual(['14:00day 0', '21:00', '4:00day 1', '11:00', '18:00', '1:00day 2', '8:00']);
});
