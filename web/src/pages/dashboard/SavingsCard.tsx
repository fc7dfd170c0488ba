import { useTranslation } from 'react-i18next';
import { useSession } from '../../app/session';
import { useFormat } from '../../i18n/format';
import { texts } from '../team/graph';
import { useModels, useUsage, type Span } from './data';
import { savingsOf } from './savings';
import { Tiles, TilesToCome } from './Tiles';
import styles from './Dashboard.module.css';

/** What the cascade and the providers' caches saved in the same time. */
export function Savings({ span, all }: { span: Span; all: boolean }) {
  const { t } = useTranslation();
  const format = useFormat();
  const { can } = useSession();
  const usage = useUsage('model', span, all);
  const models = useModels(can('agents:read'));
  if (usage.isPending || (models.isPending && can('agents:read'))) {
    const names = [t('dashboard.spent'), t('dashboard.cascadeSaved'), t('dashboard.cacheSaved'), t('dashboard.cachedShare')];
    return <><h3>{t('dashboard.savings')}</h3><TilesToCome inner names={names} noted={names.slice(1, 2)} /><p className={styles.soft}>{t('dashboard.savingsText')}</p></>;
  }
  if (!usage.data || usage.data.items.length === 0 || !models.data) return null;
  const prices = models.data.items.map((m) => ({ name: m.name, tiers: texts(m.tiers), input: Number(m.input_price), cached: Number(m.cached_price), output: Number(m.output_price) }));
  const premium = texts(models.data.tiers.find((tier) => tier.name === 'premium')?.models)[0] ?? null;
  const saved = savingsOf(usage.data.items.map((i) => ({ model: i.key, input: i.figures.input_tokens, cached: i.figures.cached_tokens, output: i.figures.output_tokens, cost: Number(i.figures.cost_usd) })), prices, premium);
  return (
    <>
      <h3>{t('dashboard.savings')}</h3>
      <Tiles
        inner
        tiles={[
          { name: t('dashboard.spent'), value: format.money(saved.cost) },
          { name: t('dashboard.cascadeSaved'), value: saved.cascade === null ? '–' : format.money(saved.cascade), note: saved.premium === null ? t('dashboard.noPremium') : t('dashboard.comparedTo', { model: saved.premium }) },
          { name: t('dashboard.cacheSaved'), value: format.money(saved.cache) },
          { name: t('dashboard.cachedShare'), value: saved.cachedShare === null ? '–' : format.percent(saved.cachedShare) },
        ]}
      />
      <p className={styles.soft}>{t('dashboard.savingsText')}</p>
    </>
  );
}
