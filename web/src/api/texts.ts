/** The texts of a list of which the API's description does not say that they are texts. */
export function texts(list: readonly unknown[] | null | undefined): string[] {
  return (list ?? []).filter((item) => typeof item === 'string');
}
