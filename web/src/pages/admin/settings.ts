export interface SettingRow {
  key: string;
  value: string;
  source: string;
  default: string;
  type: string;
  legal: string;
}

/** Settings by section, narrowed by words in key or value and to those that somebody has set. */
export function sectionsOf<T extends SettingRow>(settings: readonly T[], text: string, changedOnly: boolean): readonly (readonly [string, readonly T[]])[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const sections = new Map<string, T[]>();
  for (const setting of settings) {
    const where = `${setting.key} ${setting.value} ${setting.source}`.toLowerCase();
    if ((changedOnly && setting.source === 'default') || !words.every((w) => where.includes(w))) continue;
    const section = setting.key.slice(0, Math.max(0, setting.key.indexOf(':'))) || setting.key;
    sections.set(section, [...(sections.get(section) ?? []), setting]);
  }
  return [...sections];
}

/** The variable of the environment that would set it. */
export function variableOf(key: string): string {
  return `ROOTMAS__${key.replaceAll(':', '__')}`;
}
