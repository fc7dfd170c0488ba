import { expect, it } from 'vitest';
import { sectionsOf, variableOf } from './settings';

const row = (key: string, value: string, source: string) => ({ key, value, source, default: '', type: 'text', legal: '' });
const all = [row('Models:Pace', '2s', 'default'), row('Models:Url', 'x', 'settings.yaml'), row('Runs:Max', '40', 'environment')];

it('groups by section and narrows by words and by source', () => {
  expect(sectionsOf(all, '', false).map(([name, rows]) => [name, rows.length])).toEqual([['Models', 2], ['Runs', 1]]);
  expect(sectionsOf(all, '', true).map(([name, rows]) => [name, rows.length])).toEqual([['Models', 1], ['Runs', 1]]);
  expect(sectionsOf(all, 'RUNS env', false).flatMap(([, rows]) => rows.map((r) => r.key))).toEqual(['Runs:Max']);
  expect(sectionsOf(all, 'nowhere', false)).toEqual([]);
});

it('names the variable that would set it', () => {
  expect(variableOf('Backups:S3:Secret')).toBe('ROOTMAS__Backups__S3__Secret');
});
