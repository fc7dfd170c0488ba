import { lazy, memo, Suspense, useMemo } from 'react';
import { splitBlocks } from './blocks';
import styles from './Markdown.module.css';

// Parser, highlighter and maths are as large as the rest of the app: they come when the first answer is shown.
const Rendered = lazy(() => import('./MarkdownBlock'));

const Block = memo(function Block({ text }: { text: string }) {
  return <Suspense fallback={<p className={styles.plain}>{text}</p>}><Rendered text={text} /></Suspense>;
});

/** An answer. While it is written only its last block is parsed again. */
export const Markdown = memo(function Markdown({ text, writing = false }: { text: string; writing?: boolean }) {
  const blocks = useMemo(() => writing ? splitBlocks(text) : [text], [text, writing]);
  return <div className={styles.markdown} data-writing={writing || undefined}>{blocks.map((block, i) => <Block key={i} text={block} />)}</div>;
});
