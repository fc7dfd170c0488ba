import type { ElementContent, Root } from 'hast';
import { Check, Copy } from 'lucide-react';
import { useEffect, useRef, useState, type ComponentProps, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import ReactMarkdown, { type Components, type Options } from 'react-markdown';
import rehypeSanitize, { defaultSchema } from 'rehype-sanitize';
import remarkGfm from 'remark-gfm';
import remarkMath from 'remark-math';
import { IconButton } from '../ui/Button';
import { useCopy } from '../ui/clipboard';
import { rehypeMarks } from './citations';
import { Mark } from './Cite';
import { hostOf, LinkText } from './LinkText';
import { withDollars } from './maths';
import styles from './Markdown.module.css';

// Model output is hostile: no raw HTML is parsed at all, of boxes and pictures their words are left, the rest is sanitised before anything of ours is added.
const schema = {
  ...defaultSchema,
  tagNames: (defaultSchema.tagNames ?? []).filter((name) => name !== 'img' && name !== 'input' && name !== 'cite'),
  attributes: { ...defaultSchema.attributes, code: [['className', /^language-[\w+-]{1,30}$/, 'math-inline', 'math-display']] },
} satisfies typeof defaultSchema;

export const components: Components = {
  a: Link,
  cite: ({ id, title }) => <Mark id={id ?? ''} words={title ?? ''} />, // only ours: the schema lets no other one through
  pre: Code,
  table: Table,
};

/** What is not let through is not lost: the boxes of a list become marks, and of a picture its words stay. Each block runs as its words do, from the left or from the right. */
function rehypeWords() {
  return (tree: Root): void => { tree.children = worded(tree.children as ElementContent[]).map((node) => node.type === 'element' ? { ...node, properties: { ...node.properties, dir: 'auto' } } : node); };
}

function worded(children: readonly ElementContent[]): ElementContent[] {
  return children.map((node) => {
    if (node.type !== 'element') return node;
    const { tagName, properties } = node;
    if (tagName === 'img') return { type: 'text', value: String(properties['alt'] ?? '') };
    if (tagName === 'input' && properties['type'] === 'checkbox') return { type: 'text', value: properties['checked'] ? '\u2611' : '\u2610' };
    return { ...node, children: worded(node.children) };
  });
}

type Plugins = NonNullable<Options['rehypePlugins']>;
const none: Plugins = [];

/** One dollar is money: formulas have two, or `\(…\)` and `\[…\]`. `more` is what is done with what was sanitised, `shown` how what that makes is shown. */
export default function MarkdownBlock({ text, more = none, shown = components }: { text: string; more?: Plugins; shown?: Components }) {
  return (
    <ReactMarkdown
      remarkPlugins={[remarkGfm, [remarkMath, { singleDollarTextMath: false }]]} components={shown} skipHtml
      rehypePlugins={[rehypeWords, [rehypeSanitize, schema], rehypeMarks, ...more]}
    >
      {withDollars(text)}
    </ReactMarkdown>
  );
}

/** Shows where it leads, opens beside the conversation, and tells nobody where one came from. */
function Link({ href, children }: ComponentProps<'a'>) {
  const host = hostOf(href);
  if (!href || !host) return <span>{children}</span>;
  return <a href={href} target="_blank" rel="noopener noreferrer nofollow ugc"><LinkText host={host}>{children}</LinkText></a>;
}

/** What does not fit is scrolled to, with keys too. Named only then, and no landmark: there may be many. */
export function Wide({ name, className, children }: { name: string; className: string | undefined; children: ReactNode }) {
  const box = useRef<HTMLDivElement>(null);
  const [isWide, setWide] = useState(false);
  useEffect(() => {
    const around = box.current;
    if (!around) return;
    const watch = new ResizeObserver(() => { setWide(around.scrollWidth > around.clientWidth); });
    for (const one of [around, ...around.children]) watch.observe(one);
    return () => { watch.disconnect(); };
  }, []);
  return <div ref={box} className={className} {...(isWide && { role: 'group', tabIndex: 0, 'aria-label': name })}>{children}</div>;
}

function Table({ dir, children }: ComponentProps<'table'>) {
  const { t } = useTranslation();
  return <Wide name={t('chat.wideTable')} className={styles.table}><table dir={dir}>{children}</table></Wide>;
}

function Code({ children }: ComponentProps<'pre'>) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const copyText = useCopy();
  const code = useRef<HTMLPreElement>(null);
  const copy = async () => {
    if (!await copyText(code.current?.textContent ?? '')) return;
    setCopied(true);
    setTimeout(() => { setCopied(false); }, 2_000);
  };
  return (
    <div className={styles.code}>
      <IconButton label={copied ? t('action.copied') : t('chat.copyCode')} size="s" className={styles.copy} onClick={() => void copy()}>{copied ? <Check size={14} aria-hidden /> : <Copy size={14} aria-hidden />}</IconButton>
      <pre ref={code} tabIndex={0}>{children}</pre>
    </div>
  );
}
