export interface AuditFilter {
  actor: string;
  action: string;
  target: string;
  outcome: string;
  /** As the field for a local time gives it. */
  from: string;
  to: string;
}

export const noFilter: AuditFilter = { actor: '', action: '', target: '', outcome: '', from: '', to: '' };

/** What the server is asked for: only what was filled in, times in UTC. */
export function queryOf(filter: AuditFilter): Partial<AuditFilter> {
  const time = (text: string) => text === '' || Number.isNaN(Date.parse(text)) ? '' : new Date(text).toISOString();
  const all = { ...filter, actor: filter.actor.trim(), action: filter.action.trim(), target: filter.target.trim(), from: time(filter.from), to: time(filter.to) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
}
