import { createScanner } from './markdownLines';
import { withDollars } from './maths';

/** The last line while it may still become the marker of a list. */
const unfinishedMarker = /^(?:[-+*]|\d{1,9}[.)]?)$/;

/** A definition of a link on one line; what is written in more lines, or with parentheses, is left to the parser. */
const definition = /^ {0,3}\[((?:[^[\]\\]|\\.){1,999})\]:[ \t]*(?:<[^<>]*>|[^\s<()][^\s()]*)(?:[ \t]+(?:"[^"\\]*"|'[^'\\]*'|\([^()\\]*\)))?[ \t\r]*$/;
/** What may be one, or the definition of a footnote, or the end of one. */
const maybeDefinition = /^[ \t>*+\-\d.)]*\[[^\]]+\]:|^[^[\]]*\]:/;
const label = /\[((?:[^[\]\\]|\\.)*)\]/g;

interface Cut {
  blocks: string[];
  /** Definitions of links in their order, with the block that they stand in. */
  definitions: { label: string; line: string; block: number }[];
  /** Something in it concerns the whole text in a way that no line tells: footnotes, definitions over several lines. */
  tangled: boolean;
}

/**
 * Cuts markdown into blocks, so that only the last one has to be parsed again when text is added, and a long text can be parsed between frames. A block ends before a line that follows an empty one, begins at the
 * left edge and belongs to nothing that stands open: not inside of fenced code, maths or HTML, and not where a list may go on. What was cut stays cut when text is added.
 */
export function splitBlocks(text: string): string[] {
  return cut(text).blocks;
}

/** The blocks, each readable by itself to the same result as in the whole text: with the definitions of the links in it that stand elsewhere. Only while it is `writing` may a text with footnotes look different. */
export function readableBlocks(text: string, writing: boolean): string[] {
  const known = withDollars(text); // as the parser reads it: a formula of its own ends a list
  const { blocks, definitions, tangled } = cut(known);
  if (tangled && !writing) return [known];
  if (definitions.length === 0 || blocks.length === 1) return blocks;
  const first = new Map<string, (typeof definitions)[number]>();
  for (const found of definitions) if (!first.has(found.label)) first.set(found.label, found);
  return blocks.map((block, i) => {
    const needed = new Set<string>();
    for (const [, name = ''] of block.matchAll(label)) {
      const found = first.get(normal(name));
      if (found && found.block !== i) needed.add(found.line);
    }
    return needed.size === 0 ? block : `${[...needed].join('\n')}\n\n${block}`;
  });
}

function cut(text: string): Cut {
  const result: Cut = { blocks: [], definitions: [], tangled: false };
  const scan = createScanner();
  let begin = 0;
  let follows = true; // a definition cannot stand in the middle of a paragraph
  let isDefined = false;
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end < 0 ? text.length : end);
    const { kind, begins, isTop, inList } = scan(line);
    if (begins && begin < at && !(end < 0 && inList && unfinishedMarker.test(line))) {
      result.blocks.push(text.slice(begin, at));
      begin = at;
    }
    if (kind === 'text' && isDefined && /^\s*["'(]/.test(line)) result.tangled = true; // its title, perhaps
    isDefined = false;
    if (kind === 'text' && maybeDefinition.test(line)) {
      const found = definition.exec(line)?.[1];
      if (found !== undefined && follows && isTop && !found.startsWith('^') && found.trim() !== '') {
        result.definitions.push({ label: normal(found), line: line.trim(), block: result.blocks.length });
        isDefined = true;
      } else {
        result.tangled = true;
      }
    }
    follows = isDefined || kind === 'blank';
    at = end < 0 ? text.length : end + 1;
  }
  if (begin < text.length) result.blocks.push(text.slice(begin));
  return result;
}

/** As markdown compares labels (CommonMark 0.31, 4.7). */
function normal(name: string): string {
  return name.replace(/[\t\n\r ]+/g, ' ').trim().toLowerCase().toUpperCase();
}
