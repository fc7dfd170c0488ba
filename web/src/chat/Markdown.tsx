import { lazy, memo, Suspense, useDeferredValue, useMemo, useState, type ComponentType } from 'react';
import { loadPart } from '../app/parts';
import { usePrinting } from '../ui/paper';
import { readableBlocks } from './blocks';
import styles from './Markdown.module.css';

// The parser comes when the first answer is shown, the highlighter and maths, which are larger, with the first block that has code or a formula.
const Rendered = lazy(() => loadPart(() => import('./MarkdownBlock')));
const Rich = lazy<ComponentType<{ text: string }>>(() => loadPart(() => import('./RichBlock')).catch(() => import('./MarkdownBlock'))); // of before an upgrade: what is there shows the words
const needsMore = /\$\$|\\[([]|```|~~~/;

const Block = memo(function Block({ text }: { text: string }) {
  const plain = <Suspense fallback={<p dir="auto" className={styles.plain}>{text}</p>}><Rendered text={text} /></Suspense>;
  return needsMore.test(text) ? <Suspense key="rich" fallback={plain}><Rich text={text} /></Suspense> : plain;
});

/** From this length on, a text is cut into blocks also when it is there as a whole: they are then parsed between two frames, not in one go. */
const long = 20_000;
const blocksAtOnce = 12;

/** An answer. While it is written only its last block is parsed again; a long one comes block by block, and the page stays usable meanwhile. */
export const Markdown = memo(function Markdown({ text, writing = false }: { text: string; writing?: boolean }) {
  const blocks = useMemo(() => writing || text.length > long ? readableBlocks(text, writing) : [text], [text, writing]);
  const [first] = useState(() => blocks.slice(0, blocksAtOnce));
  const deferred = useDeferredValue(blocks, first);
  const shown = usePrinting() ? blocks : deferred;
  return <div className={styles.markdown} data-writing={writing || undefined}>{shown.map((block, i) => <Block key={i} text={block} />)}</div>;
});
