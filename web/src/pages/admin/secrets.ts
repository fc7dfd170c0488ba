import { api } from '../../api/client';
import { Problem } from '../../api/problem';

/** As the server has them. Anything else would be another address, which may not be there. */
export const isName = (text: string) => /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(text);

/** Its ETag as `If-Match`; nothing if there is no such secret. */
async function matchOf(name: string): Promise<Record<string, string>> {
  try {
    const { response } = await api.GET('/api/v1/secrets/{name}', { params: { path: { name } } });
    return { 'If-Match': response.headers.get('etag') ?? '' };
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return {};
    throw error;
  }
}

/** Stores a secret, in place of the one that is there. */
export async function setSecret(name: string, value: string): Promise<void> {
  await api.PUT('/api/v1/secrets/{name}', { params: { path: { name } }, body: { value }, headers: await matchOf(name) });
}

export async function deleteSecret(name: string): Promise<void> {
  await api.DELETE('/api/v1/secrets/{name}', { params: { path: { name } }, headers: await matchOf(name) });
}
