import { describe, expect, it } from 'vitest';
import css from './tokens.css?raw';

type Tokens = Record<string, string>;

function tokensOf(selector: string): Tokens {
  const start = css.indexOf(`${selector} {`);
  const block = css.slice(start, css.indexOf('}', start));
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map((m) => [m[1] ?? '', m[2] ?? '']));
}

/** WCAG 2.2, relative luminance. */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const light = tokensOf(':root');
const themes = { light, dark: { ...light, ...tokensOf(":root[data-theme='dark']") } };
const grounds = ['ground', 'surface', 'sunken', 'raised'];
const tones = ['danger', 'warning', 'success', 'info'];
const tinted = [...tones, 'accent'].map((tone) => `${tone}-ground`);

/** Text, and the grounds that it stands on somewhere. */
const texts: [string, string[]][] = [
  ['text', [...grounds, ...tinted]],
  ['text-soft', [...grounds, 'accent-ground']],
  ['accent', [...grounds, 'accent-ground']],
  ...tones.map((tone): [string, string[]] => [tone, [...grounds, `${tone}-ground`]]),
  ['on-accent', ['accent', 'accent-strong']],
  ['on-danger', ['danger']],
  ['surface', ['text']],
];

describe.each(Object.entries(themes))('the %s theme', (_name, tokens) => {
  const pairs = (list: [string, string[]][]) => list.flatMap(([front, backs]) => backs.map((back) => [front, back] as const));

  it.each(pairs(texts))('has %s readable on %s', (front, back) => {
    expect(contrast(tokens[front] ?? '', tokens[back] ?? '')).toBeGreaterThanOrEqual(4.5);
  });

  it.each(pairs([['line-strong', grounds], ['focus', [...grounds, ...tinted]]]))('has %s visible on %s', (front, back) => {
    expect(contrast(tokens[front] ?? '', tokens[back] ?? '')).toBeGreaterThanOrEqual(3);
  });
});

describe.each(Object.entries(themes))('the charts in the %s theme', (_name, tokens) => {
  const series = Object.keys(light).filter((name) => name.startsWith('series-'));

  it('have series that are visible on what they stand on', () => {
    expect(series).toHaveLength(9);
    for (const name of series) {
      for (const ground of ['surface', 'ground']) expect(contrast(tokens[name] ?? '', tokens[ground] ?? ''), `${name} on ${ground}`).toBeGreaterThanOrEqual(3);
    }
  });
});

it('names the same colours in both themes', () => {
  expect(Object.keys(tokensOf(":root[data-theme='dark']")).sort()).toEqual(Object.keys(light).sort());
});
