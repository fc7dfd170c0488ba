import type { TFunction } from 'i18next';
import { useQuery } from '@tanstack/react-query';
import { api, data } from '../../api/client';
import { allOf } from '../../api/pages';
import type { SchemaCollectionView, SchemaDocumentLimits, SchemaDocumentView } from '../../api/schema';
import { texts } from '../../api/texts';
import { mostAttachments } from '../../chat/attachments';
import { findCited, type Source, type Stretch } from '../../chat/citations';
import type { useFormat } from '../../i18n/format';

export type Document = SchemaDocumentView;
export type Collection = SchemaCollectionView;

/** What can be uploaded here. */
export function useDocumentLimits(enabled = true) {
  return useQuery({ queryKey: ['document-limits'], queryFn: () => data(api.GET('/api/v1/documents/limits')), staleTime: 600_000, enabled });
}

/** The limits in words, for whoever is about to choose a file. */
export function limitsText(limits: SchemaDocumentLimits, t: TFunction, format: ReturnType<typeof useFormat>): string {
  return t('documents.limits', { size: format.bytes(Number(limits.max_file_bytes)), kinds: texts(limits.kinds).map((kind) => t(`documents.kinds.${kind}`)).join(', ') });
}

/** Why a file is not even sent. */
export function refusalText(limits: SchemaDocumentLimits | undefined, t: TFunction, format: ReturnType<typeof useFormat>) {
  return (code: 'large' | 'empty' | 'many', file: File): string =>
    t(`attach.refused.${code}`, { name: file.name, size: format.bytes(file.size), limit: format.bytes(Number(limits?.max_file_bytes ?? 0)), most: mostAttachments });
}

/** One's own collections, and those one was let into. */
export function useCollections() {
  return useQuery({ queryKey: ['collections'], queryFn: () => allOf<Collection>((cursor) => data(api.GET('/api/v1/collections', { params: { query: { limit: 200, ...(cursor && { cursor }) } } }))) });
}

/** A stretch of a text, how long all of it is, and where in the stretch the cited words stand. */
export interface Place extends Stretch {
  characters: number;
  cited: { from: number; to: number } | null;
  /** False: the words were not found, and the text is too long to look through all of it. */
  sought: boolean;
}

/** Around the cited words, so much on either side. */
const around = 2_000;
/** What one answer of the API holds at most. */
const most = 200_000;
/** So many of them are looked through for words that have moved: four million characters, a thick book three times over. */
const mostPages = 20;

export async function readText(id: string, start: number, end: number, signal?: AbortSignal): Promise<Stretch & { characters: number }> {
  const text = await data(api.GET('/api/v1/documents/{id}/text', { params: { path: { id }, query: { start: Math.max(0, start), end: Math.max(0, start, end) } }, ...(signal && { signal }) }));
  return { start: Number(text.start), text: text.text, characters: Number(text.characters) };
}

/** The text where the source says; if its words are no longer there because the document was replaced, where they are now. */
export async function readPlace(source: Source, signal?: AbortSignal): Promise<Place> {
  const from = source.start ?? 0;
  const near = await readText(source.documentId, from - around, Math.max(from, source.end ?? from) + around, signal);
  const cited = findCited(near, source);
  if (cited || !source.excerpt) return { ...near, cited, sought: true };
  const starts = pagesAround(from, near.characters, Math.min(source.excerpt.length, around));
  for (const start of starts.slice(0, mostPages)) {
    const page = await readText(source.documentId, start, start + most, signal);
    const moved = findCited(page, { ...source, start: null });
    if (!moved) continue;
    // What stands beside them may lie on the next page.
    const there = await readText(source.documentId, page.start + moved.from - around, page.start + moved.to + around, signal);
    const again = findCited(there, { excerpt: source.excerpt, start: page.start + moved.from, end: page.start + moved.to });
    if (again) return { ...there, cited: again, sought: true };
  }
  return { ...near, cited: null, sought: starts.length <= mostPages };
}

/** Where pages of a text begin, that with the offset first, then those beside it, further and further: words seldom move far. Each reaches so far into the next that none are cut in two. */
function pagesAround(offset: number, characters: number, overlap: number): number[] {
  const step = most - overlap;
  const starts = Array.from({ length: Math.max(1, Math.ceil((characters - overlap) / step)) }, (_, i) => i * step);
  const own = Math.min(Math.floor(offset / step), starts.length - 1) * step;
  return starts.sort((a, b) => Math.abs(a - own) - Math.abs(b - own));
}
