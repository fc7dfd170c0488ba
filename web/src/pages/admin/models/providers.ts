import { texts } from '../../../api/texts';

interface Provider {
  name: string;
  has_key: boolean;
  key_secret?: string | null;
  key_variable?: string | null;
  models: readonly unknown[];
}

/** Providers whose key can be entered here: those without one first. */
export function keyed<T extends Provider>(providers: readonly T[]): readonly (T & { key_secret: string })[] {
  return providers.filter((p): p is T & { key_secret: string } => typeof p.key_secret === 'string' && p.key_secret !== '').sort((a, b) => Number(a.has_key) - Number(b.has_key));
}

/** The model to try a key with: one that writes, if there is one. */
export function probeOf(provider: Provider): string | undefined {
  const models = texts(provider.models);
  return models.find((name) => !/embed/i.test(name)) ?? models[0];
}
