import { Fragment, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormat } from '../../i18n/format';
import type { SchemaConversationTotalsAnswer } from '../../api/schema';
import styles from './Thread.module.css';

/** One line below the conversation: what it cost so far, which models answered, what kept answers saved. */
export function ConversationTotals({ totals }: { totals: SchemaConversationTotalsAnswer | undefined }) {
  const { t } = useTranslation();
  const format = useFormat();
  if (!totals) return <p className={styles.cost} />;
  const { tree_usage: usage, models, kept_answers: kept } = totals;
  const tokens = usage.input_tokens + usage.output_tokens;
  const parts = [
    tokens > 0 ? t(Number(totals.others_cost_usd) > 0 ? 'chat.conversationTotalWithOthers' : 'chat.conversationTotal', { cost: format.money(totals.cost_usd), tokens: format.compact(tokens), cached: format.compact(usage.cached_tokens) }) : null,
    models.length > 0 ? <Models names={models} /> : null,
    kept > 0 ? t('chat.conversationSaved', { count: kept, cost: format.money(totals.saved_usd) }) : null,
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
