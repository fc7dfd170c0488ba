/** What each role may do, as the server has it (a test compares). */
const user = ['chat:read', 'chat:write', 'agents:read', 'metrics:read', 'projects:read', 'projects:write', 'knowledge:read', 'knowledge:write', 'memory:read', 'memory:write', 'approvals:decide'];
const agent = ['chat:read', 'chat:write', 'agents:communicate', 'memory:read', 'memory:write'];
const readonly = ['chat:read', 'agents:read', 'metrics:read', 'projects:read'];
const adminOnly = [
  'agents:write', 'audit:read', 'backups:read', 'backups:write', 'cache:read', 'cache:write', 'keys:read', 'keys:write', 'logs:read', 'memory:admin', 'queue:read', 'queue:write',
  'secrets:read', 'secrets:write', 'settings:read', 'settings:write', 'tokens:write', 'usage:read', 'users:read', 'users:write',
];

export const roles = ['admin', 'user', 'agent', 'readonly'] as const;
export type Role = (typeof roles)[number];

/** Every permission that comes with some role. */
export const permissions: readonly string[] = [...new Set([...user, ...agent, ...readonly, ...adminOnly])].sort();

const sets: Record<Role, ReadonlySet<string>> = { admin: new Set(permissions), user: new Set(user), agent: new Set(agent), readonly: new Set(readonly) };

export function roleMay(role: Role, permission: string): boolean {
  return sets[role].has(permission);
}

/** What somebody with these permissions may give to a key of theirs. */
export function grantable(own: readonly string[]): readonly string[] {
  return own.includes('*') ? [...permissions, ...own.filter((p) => p !== '*' && !permissions.includes(p))] : [...own].sort();
}
