/**
 * Cuts markdown that is still being written into blocks, so that only the last one has to be parsed again when text is added. A block ends at an empty line outside fenced code and display maths.
 * Cut so, links by reference and loose lists may look different until the text is whole and parsed as one.
 */
export function splitBlocks(text: string): string[] {
  const blocks: string[] = [];
  let fence = '';
  let begin = 0;
  let at = 0;
  let hasText = false;
  while (at < text.length) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end < 0 ? text.length : end);
    if (fence === '') fence = fenceOf(line);
    else if (isClosing(line, fence)) fence = '';
    if (line.trim() !== '') hasText = true;
    else if (fence === '' && hasText) {
      const next = end < 0 ? text.length : end + 1;
      blocks.push(text.slice(begin, next));
      begin = next;
      hasText = false;
    }
    at = end < 0 ? text.length : end + 1;
  }
  if (begin < text.length) blocks.push(text.slice(begin));
  return blocks;
}

/** The mark that opens code or display maths with this line; none where the same line ends it again (`$$x$$`, ```x```): that is part of a text. */
export function fenceOf(line: string): string {
  return /^ {0,3}(`{3,}(?=[^`]*$)|~{3,}|\${2,}(?=[^$]*$))/.exec(line)?.[1] ?? '';
}

export function isClosing(line: string, fence: string): boolean {
  const mark = fenceOf(line);
  return mark.startsWith(fence) && line.trim() === mark;
}
