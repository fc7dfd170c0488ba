import type { ComponentProps } from 'react';
import rehypeHighlight from 'rehype-highlight';
import rehypeKatex from 'rehype-katex';
import MarkdownBlock from './MarkdownBlock';
import 'katex/dist/katex.min.css';
import './highlight.css';

const more: NonNullable<ComponentProps<typeof MarkdownBlock>['more']> = [[rehypeKatex, { throwOnError: false, strict: 'ignore', trust: false, maxExpand: 200, maxSize: 20 }], [rehypeHighlight, { detect: false, ignoreMissing: true }]];

/** A block with its code highlighted and its formulas set. */
export default function RichBlock({ text }: { text: string }) {
  return <MarkdownBlock text={text} more={more} />;
}
