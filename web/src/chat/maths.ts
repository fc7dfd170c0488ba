import { createScanner } from './markdownLines';

/** Models write `\(…\)` and `\[…\]` for formulas, the parser knows dollars: these become `$$$…$$$`, which stands in the text wherever it is, but a `\[…\]` or `$$…$$` that has its lines for itself becomes display. Code stays as it is, and so does what has no end in its paragraph. */
export function withDollars(text: string): string {
  if (!/\\[([]|\$\$/.test(text)) return text;
  const parts: string[] = [];
  let paragraph: string[] = [];
  const scan = createScanner();
  const flush = () => {
    if (paragraph.length > 0) parts.push(convert(paragraph.join('\n')));
    paragraph = [];
  };
  for (const line of text.split('\n')) {
    if (scan(line).kind === 'text') {
      paragraph.push(line);
      continue;
    }
    flush();
    parts.push(line);
  }
  flush();
  return parts.join('\n');
}

/** One paragraph, read once from left to right. */
function convert(text: string): string {
  const unclosed = new Set<string>();
  let out = '';
  let done = 0;
  for (const found = /`+|\${2,}|\\[\s\S]/g; ;) {
    const at = found.exec(text);
    if (at === null) break;
    const open = at[0];
    const isRun = /^[`$]/.test(open);
    if (!isRun && open !== '\\(' && open !== '\\[') continue;
    const end = unclosed.has(open) ? -1 : isRun ? endOfRun(text, open, found.lastIndex) : text.indexOf(open === '\\(' ? '\\)' : '\\]', found.lastIndex);
    if (end < 0) {
      unclosed.add(open);
      continue;
    }
    const formula = text.slice(found.lastIndex, end).trim();
    found.lastIndex = end + open.length;
    if ((isRun && open !== '$$') || formula === '' || formula.includes('$')) continue;
    const indent = open === '\\(' ? null : indentOf(text, at.index, found.lastIndex);
    if (isRun && indent === null) continue;
    out += text.slice(done, at.index) + dollars(formula, indent);
    done = found.lastIndex;
  }
  return out + text.slice(done);
}

/** Where as many backticks or dollars stand as opened it, no more and no fewer. */
function endOfRun(text: string, open: string, from: number): number {
  const runs = open.startsWith('$') ? /\$+/g : /`+/g;
  runs.lastIndex = from;
  for (let at = runs.exec(text); at !== null; at = runs.exec(text)) if (at[0] === open) return at.index;
  return -1;
}

/** The space before what stands alone on its lines; null: something stands beside it. */
function indentOf(text: string, begin: number, end: number): string | null {
  const before = text.slice(text.lastIndexOf('\n', begin - 1) + 1, begin);
  const next = text.indexOf('\n', end);
  const after = text.slice(end, next < 0 ? text.length : next);
  return before.trim() === '' && after.trim() === '' ? before : null;
}

function dollars(formula: string, indent: string | null): string {
  if (indent === null) return `$$$${formula}$$$`.replace(/\s*\n\s*/g, ' ');
  return ['$$', ...formula.split('\n').map((line) => indent + line.trim()), `${indent}$$`].join('\n');
}
