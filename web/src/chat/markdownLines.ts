interface Line {
  /** `code`: fenced or indented code, display maths, HTML, with the lines that open and close it. */
  kind: 'text' | 'blank' | 'code';
  /** Follows an empty line at the left edge and continues nothing: what stands before it and what begins here can be read apart. */
  begins: boolean;
  /** In no list. */
  isTop: boolean;
  /** A list may go on here. */
  inList: boolean;
}

interface Open {
  /** How many list items are around it: it ends with them. */
  depth: number;
  /** Whether this line, `indent` columns into the item, is its last. */
  isLast: (rest: string, indent: number) => boolean;
  /** HTML that ends at an empty line. */
  untilBlank?: boolean;
}

const blank = /^[ \t\r]*$/;
const heading = /^#{1,6}(?=[ \t\r]|$)/;
const rule = /^([-_*])[ \t]*(?:\1[ \t]*){2,}\r?$/;
const underline = /^(?:=+|-+)[ \t\r]*$/;
const marker = /^(?:[-+*]|(\d{1,9})[.)])(?=[ \t\r]|$)/;
const quote = /^>[ \t]?(.*)/;

/** HTML that goes on over empty lines (CommonMark 0.31, 4.6): how it begins and how it ends. */
const html: readonly (readonly [RegExp, RegExp])[] = [
  [/^<(?:script|pre|style|textarea)(?=[\s>]|$)/i, /<\/(?:script|pre|style|textarea)>/i], [/^<!--/, /-->/], [/^<\?/, /\?>/], [/^<![a-z]/i, />/], [/^<!\[CDATA\[/, /\]\]>/],
];
const blockTags = 'address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul';
const htmlBlock = new RegExp(`^</?(?:${blockTags})(?=[\\s>]|/>|$)`, 'i');
const htmlAlone = /^<\/?[a-z][a-z0-9-]*(?:\s[^<>]*)?\/?>[ \t\r]*$/i;

/** The mark that opens code or display maths with this line; none where the same line ends it again (`$$x$$`, ```x```): that is part of a text. */
function fenceOf(rest: string): string {
  return /^(`{3,}(?=[^`]*$)|~{3,}|\${2,}(?=[^$]*$))/.exec(rest)?.[1] ?? '';
}

function isClosing(rest: string, fence: string): boolean {
  const mark = fenceOf(rest);
  return mark.startsWith(fence) && rest.trim() === mark;
}

/** How many columns the space at the beginning of `text` fills, which stands at `column`: a tab goes to the next fourth. */
function space(text: string, column: number): number {
  let at = column;
  for (const c of text) {
    if (c === ' ') at++;
    else if (c === '\t') at += 4 - at % 4;
    else break;
  }
  return at - column;
}

/** Whether a line that stands left of an open item begins something of its own; otherwise it is the rest of the item's paragraph. */
function interrupts(rest: string, indent: number): boolean {
  return indent <= 3 && (heading.test(rest) || rule.test(rest) || marker.test(rest) || fenceOf(rest) !== '' || quote.test(rest) || html.some(([begin]) => begin.test(rest)) || htmlBlock.test(rest));
}

/**
 * Reads markdown line by line, as far as one has to in order to know what stands open: list items, fenced code and display maths at any depth, HTML (CommonMark 0.31, 4.5, 4.6, 5.2). It never looks ahead, so what it
 * said holds whatever comes.
 */
export function createScanner(): (line: string) => Line {
  const items: number[] = []; // of each open list item, the column at which its content stands
  let open: Open | null = null;
  let paragraph = false;
  let gap = false;
  let inList = false;
  let isEmptyItem = false;

  const close = (depth: number) => {
    items.length = depth;
    paragraph = false;
    if (open !== null && open.depth > depth) open = null;
  };
  const opened = (rest: string): Open | null => {
    const fence = fenceOf(rest);
    if (fence !== '') return { depth: items.length, isLast: (line, indent) => indent <= 3 && isClosing(line, fence) };
    for (const [begin, end] of html) if (begin.test(rest)) return end.test(rest) ? null : { depth: items.length, isLast: (line) => end.test(line) };
    return htmlBlock.test(rest) || (!paragraph && htmlAlone.test(rest)) ? { depth: items.length, isLast: () => false, untilBlank: true } : null;
  };

  /** What begins on this line, one in the other. */
  const read = (text: string, begin: number): 'text' | 'code' => {
    let [rest, column] = [text, begin];
    for (;;) {
      if (column - (items.at(-1) ?? 0) > 3) return paragraph ? 'text' : 'code';
      if (heading.test(rest) || rule.test(rest) || (paragraph && underline.test(rest))) {
        paragraph = false;
        return 'text';
      }
      open = opened(rest);
      if (open !== null) {
        paragraph = false;
        return 'code';
      }
      const found = marker.exec(rest);
      const after = rest.slice(found?.[0].length);
      const isEmpty = blank.test(after);
      // In the middle of a paragraph only a list that begins with something, and with 1, is one.
      if (!found || (paragraph && (isEmpty || (found[1] !== undefined && Number(found[1]) !== 1)))) {
        const quoted = quote.exec(rest)?.[1];
        paragraph = quoted === undefined || !(blank.test(quoted) || heading.test(quoted) || fenceOf(quoted) !== '');
        return 'text';
      }
      const end = column + found[0].length;
      const wide = space(after, end);
      items.push(end + (isEmpty || wide > 4 ? 1 : wide));
      inList = true;
      paragraph = false;
      isEmptyItem = isEmpty;
      if (isEmpty) return 'text';
      [rest, column] = [after.trimStart(), end + wide];
    }
  };

  return (line) => {
    if (blank.test(line)) {
      if (open?.untilBlank) open = null;
      if (isEmptyItem) items.pop(); // an item begins with one empty line at most
      isEmptyItem = false;
      gap = true;
      paragraph = false;
      return { kind: open === null ? 'blank' : 'code', begins: false, isTop: items.length === 0, inList };
    }
    isEmptyItem = false;
    const column = space(line, 0);
    const rest = line.trimStart();
    const left = items.findIndex((content) => column < content);
    if (left >= 0) {
      if (open === null && paragraph && !interrupts(rest, column - (items[left - 1] ?? 0))) return { kind: 'text', begins: false, isTop: false, inList };
      close(left);
    }
    const begins = gap && open === null && column === 0 && !(inList && marker.test(rest));
    gap = false;
    const listed = inList;
    if (begins) inList = false;
    const isTop = items.length === 0;
    if (open === null) return { kind: read(rest, column), begins, isTop: isTop && items.length === 0, inList: listed };
    if (open.isLast(rest, column - (items.at(-1) ?? 0))) open = null;
    return { kind: 'code', begins, isTop, inList: listed };
  };
}
