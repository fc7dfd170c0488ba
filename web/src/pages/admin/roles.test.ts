import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { grantable, permissions, roleMay, roles } from './roles';

const source = readFileSync('../src/RootMas.Server/Identity/Access/Permissions.cs', 'utf8');

function namesOf(set: string): string[] {
  const body = new RegExp(`FrozenSet<string> ${set} = Set\\(([^;]*)\\);`).exec(source)?.[1] ?? '';
  return [...body.matchAll(/"([a-z]+:[a-z]+)"/g)].map((m) => m[1] ?? '').concat(body.includes('DecideApprovals') ? ['approvals:decide'] : []).sort();
}

it('shows the roles as the server has them', () => {
  const of = (role: (typeof roles)[number]) => permissions.filter((p) => roleMay(role, p));
  expect(of('user')).toEqual(namesOf('User'));
  expect(of('agent')).toEqual(namesOf('Agent'));
  expect(of('readonly')).toEqual(namesOf('ReadOnly'));
  expect(of('admin')).toEqual([...new Set([...namesOf('User'), ...namesOf('Agent'), ...namesOf('ReadOnly'), ...namesOf('AdminOnly')])].sort());
  expect(namesOf('AdminOnly').length).toBeGreaterThan(10);
});

it('offers for a key what its owner may do, and all of it to an administrator', () => {
  expect(grantable(['chat:write', 'chat:read'])).toEqual(['chat:read', 'chat:write']);
  expect(grantable(['*'])).toEqual(permissions);
  expect(grantable(['*', 'content:read'])).toEqual([...permissions, 'content:read']);
});
