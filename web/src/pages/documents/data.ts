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
}

/** Around the cited words, so much on either side. */
const around = 2_000;
/** What one answer of the API holds at most. */
const most = 200_000;

export async function readText(id: string, start: number, end: number): Promise<Stretch & { characters: number }> {
  const text = await data(api.GET('/api/v1/documents/{id}/text', { params: { path: { id }, query: { start: Math.max(0, start), end: Math.max(0, start, end) } } }));
  return { start: Number(text.start), text: text.text, characters: Number(text.characters) };
}

/** The text where the source says; if its words are no longer there because the document was replaced, where they are now. */
export async function readPlace(source: Source): Promise<Place> {
  const from = source.start ?? 0;
  const near = await readText(source.documentId, from - around, Math.max(from, source.end ?? from) + around);
  const cited = findCited(near, source);
  if (cited || !source.excerpt) return { ...near, cited };
  const whole = await readText(source.documentId, 0, most);
  const moved = findCited(whole, { ...source, start: null });
  if (!moved) return { ...near, cited: null };
  const start = Math.max(0, moved.from - around);
  return { start, text: whole.text.slice(start, moved.to + around), characters: whole.characters, cited: { from: moved.from - start, to: moved.to - start } };
}
