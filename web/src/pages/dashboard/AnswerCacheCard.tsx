import { useTranslation } from 'react-i18next';
import { useFormat } from '../../i18n/format';
import { Badge, Card } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import { useCacheStats } from './data';
import { Tiles, TilesToCome } from './Tiles';
import styles from './Dashboard.module.css';

const kinds = ['memory', 'redis', 'stored', 'flight', 'semantic'] as const;

/** What answers that were given again saved. */
export function AnswerCacheCard() {
  const { t } = useTranslation();
  const format = useFormat();
  const stats = useCacheStats();
  const title = t('dashboard.answerCache.title');
  const names = [t('dashboard.answerCache.saved'), t('dashboard.answerCache.hitRate'), t('dashboard.answerCache.equal'), t('dashboard.answerCache.similar')] as const;
  if (stats.isLoadingError) return <Card title={title}><ReadNotice of={stats} /></Card>;
  if (stats.isPending) return <Card title={title}><TilesToCome inner names={names} noted={names} /><p className={styles.soft}>{'\u00a0'}</p></Card>;
  const s = stats.data;
  const hits: Readonly<Record<string, unknown>> = s.hits;
  const count = (kind: (typeof kinds)[number]) => typeof hits[kind] === 'number' ? hits[kind] : 0;
  const equal = kinds.filter((k) => k !== 'semantic').reduce((sum, k) => sum + count(k), 0);
  const wrong = s.error.false_hit_rate;
  return (
    <Card title={title} actions={s.mode === 'off' ? <Badge tone="neutral">{t('dashboard.answerCache.off')}</Badge> : undefined}>
      <ReadNotice of={stats} />
      <Tiles
        inner
        tiles={[
          { name: names[0], value: format.money(s.saved_usd), note: t('dashboard.answerCache.tokens', format.counted(s.saved_tokens)) },
          { name: names[1], value: s.lookups > 0 ? format.percent(s.hit_rate) : '–', note: t('dashboard.answerCache.lookups', { formatted: format.number(s.lookups) }) },
          { name: names[2], value: format.number(equal), note: t('dashboard.answerCache.kept', { formatted: format.number(s.entries) }) },
          { name: names[3], value: format.number(count('semantic')), note: wrong === null || wrong === undefined ? t('dashboard.answerCache.unaudited') : t('dashboard.answerCache.wrong', { share: format.percent(wrong) }) },
        ]}
      />
      <p className={styles.soft}>{t('dashboard.answerCache.since', { when: format.moment(s.since) })}</p>
    </Card>
  );
}
