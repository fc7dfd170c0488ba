import { useState } from 'react';
import { idempotencyKey } from './client';
import { Problem } from './problem';

/** What a server has refused for good: it would answer the same to the same key, whatever has changed since. Anything else may have been done although the answer was lost. */
export const isSettled = (error: unknown) => error instanceof Problem && [400, 404, 409, 412, 422].includes(error.status) && !error.code.startsWith('idempotency_');

/** Keys of requests that must not act twice: the same content sent again after a lost answer is the same request. */
export class SameRequest {
  #tried: { content: string; key: string } | null = null;

  async send<T>(content: string, request: (key: string) => Promise<T>): Promise<T> {
    const tried = this.#tried?.content === content ? this.#tried : { content, key: idempotencyKey() };
    this.#tried = tried;
    try {
      const answer = await request(tried.key);
      this.#tried = null;
      return answer;
    } catch (error) {
      if (isSettled(error)) this.#tried = null;
      throw error;
    }
  }
}

export function useSameRequest(): SameRequest {
  const [same] = useState(() => new SameRequest());
  return same;
}
