import { api, data } from './client';
import { allOf } from './pages';
import type { SchemaModelResponse, SchemaModelsResponse } from './schema';

/** The models with all that is said of them: an installation with more of them than a page holds has them on several. */
export async function readModels(): Promise<SchemaModelsResponse> {
  const first = await data(api.GET('/api/v1/models'));
  const next = first.next_cursor;
  if (!next) return first;
  const rest = await allOf<SchemaModelResponse>((cursor) => data(api.GET('/api/v1/models', { params: { query: { limit: 200, cursor: cursor ?? next } } })));
  return { ...first, items: [...first.items, ...rest], next_cursor: null };
}
