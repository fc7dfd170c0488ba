import { Fragment, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../../i18n/format';
import type { Run } from './data';
import { totalOf } from './totals';
import styles from './Thread.module.css';

/** One line below the conversation: what it cost so far, which models answered, what kept answers saved. */
export function ConversationTotals({ runs }: { runs: ReadonlyMap<string, Run> | undefined }) {
  const { t } = useTranslation();
  const format = useFormat();
  const total = useMemo(() => totalOf([...runs?.values() ?? []]), [runs]);
  const parts = [
    total.tokens > 0 ? t(total.others > 0 ? 'chat.conversationTotalWithOthers' : 'chat.conversationTotal', { cost: format.money(total.cost), tokens: format.compact(total.tokens), cached: format.compact(total.cached) }) : null,
    total.models.length > 0 ? <Models names={total.models} /> : null,
    total.kept > 0 ? t('chat.conversationSaved', { count: total.kept, cost: format.money(total.saved) }) : null,
  ].filter((part) => part !== null);
  return <p className={styles.cost}>{parts.map((part, i) => <Fragment key={i}>{i > 0 ? ' · ' : null}{part}</Fragment>)}</p>;
}

/** One by its name; several by their number, which opens to their names: a tooltip would say them to nobody on a telephone. */
function Models({ names }: { names: readonly string[] }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  if (names.length === 1) return <>{names[0]}</>;
  return <><button type="button" className={styles.models} aria-expanded={open} onClick={() => { setOpen(!open); }}>{t('chat.conversationModels', { count: names.length })}</button>{open ? `: ${names.join(', ')}` : null}</>;
}
