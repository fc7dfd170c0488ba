/** The texts of a list that may be absent, without whatever else somebody put there. */
export function texts(list: readonly unknown[] | null | undefined): string[] {
  return (list ?? []).filter((item) => typeof item === 'string');
}
