import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useFormat } from '../../i18n/format';
import { Facts } from '../../ui/Layout';
import type { Run } from './data';
import { StatusBadge } from './Status';
import { treeUsage } from './usage';
import styles from './RunPage.module.css';

/** What the run is as a whole, and what it hangs together with. */
export function RunFacts({ run, status, now, owner }: { run: Run; status: string; now: number; owner: string }) {
  const { t } = useTranslation();
  const format = useFormat();
  const usage = treeUsage(run);
  return (
    <div className={styles.facts}><Facts items={[
      [t('runs.state'), <StatusBadge key="status" status={status} />],
      [t('runs.team'), run.team],
      [t('runs.agents'), [...new Set([run.agent, ...run.agents.map(String)])].join(', ')],
      [t('runs.started'), <time key="at" dateTime={run.created_at} title={format.exact(run.created_at)}>{format.moment(run.created_at)}</time>],
      [t('runs.duration'), format.duration(Math.max(0, (run.ended_at ? Date.parse(run.ended_at) : now) - Date.parse(run.created_at)))],
      [t('runs.cost'), format.money(String(run.tree_cost_usd))],
      [t('runs.tokens'), t('runs.tokenSplit', { input: format.number(usage.input_tokens), cached: format.number(usage.cached_tokens), output: format.number(usage.output_tokens) })],
      owner === '' ? null : [t('runs.owner'), owner],
      run.conversation_id && !run.parent_run_id && owner === '' ? [t('runs.conversation'), <Link key="c" to={`/c/${run.conversation_id}`}>{t('runs.openConversation')}</Link>] : null,
      run.retry_of ? [t('runs.retryOf'), <Link key="r" to={`/runs/${run.retry_of}`}>{t('runs.openEarlier')}</Link>] : null,
      run.parent_run_id ? [t('runs.partOf'), <Link key="p" to={`/runs/${run.parent_run_id}`}>{t('runs.openParent')}</Link>] : null,
    ]}
    /></div>
  );
}
