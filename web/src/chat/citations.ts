import type { Element, ElementContent, Root } from 'hast';

/** What an answer rests on: a passage of a document, or a page of the web. As messages and events have it. */
export interface Citation {
  id: string;
  title: string | null;
  url: string | null;
  excerpt: string | null;
  documentId: string | null;
  page: number | null;
  start: number | null;
  end: number | null;
}

/** As it comes from a log or an answer of the API; hostile or future ones may hold anything. */
export function toCitation(value: unknown): Citation | null {
  if (typeof value !== 'object' || value === null) return null;
  const it = value as Record<string, unknown>;
  const text = (name: string) => typeof it[name] === 'string' && it[name] !== '' ? it[name] : null;
  const number = (name: string) => typeof it[name] === 'number' && Number.isFinite(it[name]) && it[name] >= 0 ? it[name] : null;
  const id = text('id');
  return id === null ? null : { id, title: text('title'), url: text('url'), excerpt: text('excerpt'), documentId: text('document_id'), page: number('page'), start: number('start'), end: number('end') };
}

export function toCitations(values: readonly unknown[] | undefined): Citation[] {
  return (values ?? []).map(toCitation).filter((c) => c !== null);
}

/** Marks as agents write them: of passages (`[k1a2b3c4d]`, several with commas) and of pages (`[3]`, `[2.1]`: number of the call, place in its results). */
const marks = /\[\s*((?:k[0-9a-f]{8}|\d{1,4}(?:\.\d{1,3})?)(?:\s*[,;]\s*(?:k[0-9a-f]{8}|\d{1,4}(?:\.\d{1,3})?))*)\s*\]/g;

export interface Numbered {
  number: number;
  citation: Citation;
}

/** The sources of a text in the order in which it names them, so that numbers stay while the text grows; then those that it names by their address only. */
export function numbered(text: string, citations: readonly Citation[], isWhole: boolean): Numbered[] {
  const known = new Map(citations.map((c) => [c.id, c]));
  const order = new Map<string, Citation>();
  for (const match of text.matchAll(marks)) {
    for (const id of idsOf(match[1] ?? '')) {
      const citation = known.get(id);
      if (citation && !order.has(id)) order.set(id, isWhole ? citation : narrowed(citation, text.slice(Math.max(0, match.index - longestQuote), match.index)));
    }
  }
  if (isWhole) for (const citation of citations) order.set(citation.id, citation);
  return [...order.values()].map((citation, i) => ({ number: i + 1, citation }));
}

/** How far before a mark the quotation may begin that belongs to it. */
const longestQuote = 2_100;
const quoteBefore = /["«“„‘]([^"»”“’]{4,})["»”“’][\s.,;:)*_]*$/;

/** A tool gives the whole passage. As the server does when the answer is whole: where a quotation stands before the mark, only these words of it count. */
function narrowed(citation: Citation, before: string): Citation {
  const quote = quoteBefore.exec(before)?.[1]?.trim();
  const at = quote ? citation.excerpt?.indexOf(quote) ?? -1 : -1;
  return quote && at >= 0 && citation.start !== null ? { ...citation, excerpt: quote, start: citation.start + at, end: citation.start + at + quote.length } : citation;
}

function idsOf(inside: string): string[] {
  return inside.split(/[,;]/).map((id) => id.trim());
}

/** Text in here is shown as it stands. */
const verbatim = new Set(['code', 'pre', 'a']);

/** Makes `cite` elements of marks, one for each, with the mark's words in them: whether there is such a source is known only when they are shown. */
export function rehypeMarks() {
  return (tree: Root): void => { tree.children = split(tree.children as ElementContent[]); };
}

function split(children: readonly ElementContent[]): ElementContent[] {
  return children.flatMap((node) => {
    if (node.type === 'element' && !verbatim.has(node.tagName)) return [{ ...node, children: split(node.children) }];
    return node.type === 'text' && node.value.includes('[') ? splitText(node.value) : [node];
  });
}

function splitText(text: string): ElementContent[] {
  const parts: ElementContent[] = [];
  let at = 0;
  for (const match of text.matchAll(marks)) {
    if (match.index > at) parts.push({ type: 'text', value: text.slice(at, match.index) });
    const ids = idsOf(match[1] ?? '');
    parts.push(...ids.map((id, i): Element => ({ type: 'element', tagName: 'cite', properties: { id, title: ids.length > 1 ? (i === 0 ? `[${id}` : i === ids.length - 1 ? `, ${id}]` : `, ${id}`) : match[0] }, children: [] })));
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push({ type: 'text', value: text.slice(at) });
  return parts;
}

/** A document at a place, or from its beginning. */
export interface Source {
  documentId: string;
  title: string | null;
  page: number | null;
  excerpt: string | null;
  start: number | null;
  end: number | null;
}

export function sourceOf(c: Citation): Source | null {
  return c.documentId === null ? null : { documentId: c.documentId, title: c.title, page: c.page, excerpt: c.excerpt, start: c.start, end: c.end };
}

/** The page of the whole document, at the same place. */
export function addressOf({ documentId, start, end }: Source): string {
  return `/documents/${encodeURIComponent(documentId)}${start !== null && end !== null ? `?start=${start}&end=${end}` : ''}`;
}

/** A stretch of a document's text. Offsets count UTF-16 units, as this language does. */
export interface Stretch {
  start: number;
  text: string;
}

/**
 * Where in the stretch the cited words stand, in offsets of the stretch; null: not in here. A document that was replaced since may have them elsewhere, or not at all.
 */
export function findCited({ start, text }: Stretch, source: Pick<Source, 'start' | 'end' | 'excerpt'>): { from: number; to: number } | null {
  const { excerpt } = source;
  if (source.start !== null && source.end !== null && source.end > source.start) {
    const [from, to] = [source.start - start, source.end - start];
    if (from >= 0 && to <= text.length && (excerpt === null || text.slice(from, to).startsWith(excerpt))) return { from, to };
  }
  const at = excerpt ? text.indexOf(excerpt) : -1;
  return at >= 0 && excerpt ? { from: at, to: at + excerpt.length } : null;
}
