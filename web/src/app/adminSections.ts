/** The parts of the administration and what one needs to see them; the page and the palette both list them. */
export const adminSections = [
  { id: 'users', permission: 'users:read' },
  { id: 'roles', permission: 'users:read' },
  { id: 'models', permission: 'settings:read' },
  { id: 'settings', permission: 'settings:read' },
  { id: 'secrets', permission: 'secrets:read' },
  { id: 'keys', permission: 'keys:read' },
  { id: 'audit', permission: 'audit:read' },
  { id: 'backups', permission: 'backups:read' },
  { id: 'queue', permission: 'queue:read' },
  { id: 'logs', permission: 'logs:read' },
] as const;

export type AdminSection = (typeof adminSections)[number]['id'];

export function sectionsFor(can: (permission: string) => boolean): readonly AdminSection[] {
  return adminSections.filter((s) => can(s.permission)).map((s) => s.id);
}
