import { hashKey, QueryClient, type InvalidateOptions, type InvalidateQueryFilters, type QueryClientConfig, type QueryKey } from '@tanstack/react-query';

/** What is told within this time is read together, each list once. */
const patience = 50;

/**
 * The cache of this window. What one window knows to be out of date, the others of the same browser read again at once. Only keys of queries go from window to window (names of lists, ids), never what the
 * server said; where a browser has no channel, each window finds out for itself.
 */
export class SharedCache extends QueryClient {
  readonly #others = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('rootmas:changed');
  readonly #heard = new Map<string, QueryKey>();

  constructor(config?: QueryClientConfig) {
    super(config);
    this.#others?.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (Array.isArray(data) && data.length > 0) this.#hear(data);
    });
  }

  override invalidateQueries<Key extends QueryKey = QueryKey>(filters?: InvalidateQueryFilters<Key>, options?: InvalidateOptions): Promise<void> {
    if (filters?.queryKey) this.#others?.postMessage(filters.queryKey);
    return super.invalidateQueries(filters, options);
  }

  /** Listens no more. */
  close(): void {
    this.#others?.close();
  }

  #hear(key: QueryKey): void {
    if (this.#heard.size === 0) setTimeout(() => void this.#readAgain(), patience);
    this.#heard.set(hashKey(key), key);
  }

  async #readAgain(): Promise<void> {
    const keys = [...this.#heard.values()];
    this.#heard.clear();
    // A first reading that is under way is not begun anew and may bring what was there before: then it is read once more.
    const early = keys.flatMap((queryKey) => this.getQueryCache().findAll({ queryKey }))
      .filter(({ state }) => state.fetchStatus === 'fetching' && state.data === undefined).map((query) => query.queryKey);
    const read = (some: readonly QueryKey[]) => Promise.all(some.map((queryKey) => super.invalidateQueries({ queryKey })));
    await read(keys);
    await read(early);
  }
}
