/**
 * What a browser may keep: preferences and drafts, by user, so that the second person on the same machine does not see the first one's. Never credentials, never answers.
 */
const prefix = 'rootmas:';

export type Area = 'preference' | 'draft';

function key(area: Area, name: string, user?: string): string {
  return `${prefix}${area}:${user ?? ''}:${name}`;
}

/* eslint-disable no-restricted-globals -- the one place */
export function read(area: Area, name: string, user?: string): string | null {
  try {
    return localStorage.getItem(key(area, name, user));
  } catch {
    return null; // storage is switched off: everything works, nothing is remembered
  }
}

export function write(area: Area, name: string, value: string | null, user?: string): void {
  try {
    if (value === null || value === '') localStorage.removeItem(key(area, name, user));
    else localStorage.setItem(key(area, name, user), value);
  } catch {
    // full or switched off
  }
}

/** At sign-out: somebody else may sit here next. `user`: only what this one wrote. */
export function forgetDrafts(user?: string): void {
  const begin = `${prefix}draft:${user === undefined ? '' : `${user}:`}`;
  try {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(begin)) localStorage.removeItem(name);
    }
  } catch {
    // nothing was kept
  }
}
