import type { Element, Root } from 'hast';
import type { ComponentProps } from 'react';
import { useTranslation } from 'react-i18next';
import type { Components } from 'react-markdown';
import rehypeHighlight from 'rehype-highlight';
import rehypeKatex from 'rehype-katex';
import MarkdownBlock, { components, Wide } from './MarkdownBlock';
import 'katex/dist/katex.min.css';
import './highlight.css';
import './maths.css';

const more: NonNullable<ComponentProps<typeof MarkdownBlock>['more']> = [[rehypeKatex, { throwOnError: false, strict: 'ignore', trust: false, maxExpand: 200, maxSize: 20 }], rehypeFormulas, [rehypeHighlight, { detect: false, ignoreMissing: true }]];
const shown: Components = { ...components, figure: Formula };

/** A formula on lines of its own is a box, which only such formulas are: no text makes a `figure`, the schema lets none through. */
function rehypeFormulas() {
  return (tree: Root): void => { boxed(tree.children); };
}

function boxed(children: readonly { type: string }[]): void {
  for (const node of children) {
    if (node.type !== 'element') continue;
    const element = node as Element;
    const names = element.properties['className'];
    if (Array.isArray(names) && names.includes('katex-display')) element.tagName = 'figure';
    else boxed(element.children);
  }
}

function Formula({ className, children }: ComponentProps<'figure'>) {
  const { t } = useTranslation();
  return <Wide name={t('chat.wideFormula')} className={className}>{children}</Wide>;
}

/** A block with its code highlighted and its formulas set. */
export default function RichBlock({ text }: { text: string }) {
  return <MarkdownBlock text={text} more={more} shown={shown} />;
}
