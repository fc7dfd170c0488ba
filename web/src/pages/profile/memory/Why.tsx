import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, data } from '../../../api/client';
import { useFormat } from '../../../i18n/format';
import { Badge, Facts, Loading } from '../../../ui/Layout';
import { ReadNotice } from '../../../ui/Notice';
import { at, placeOf } from './facts';
import { Author, Validity } from './FactParts';
import styles from './Memory.module.css';

/** Who wrote a fact, when, from which words, and what stood there before. */
export function Why({ id }: { id: string }) {
  const { t } = useTranslation();
  const format = useFormat();
  const why = useQuery({ queryKey: ['memory', 'why', id], queryFn: () => data(api.GET('/api/v1/memory/{id}/why', at(id))) });
  if (why.isLoadingError) return <ReadNotice of={why} />;
  if (why.isPending) return <Loading label={t('state.loading')} />;
  const { fact, history } = why.data;
  const { run_id: run, excerpt } = fact.source;
  const place = placeOf(fact);
  return (
    <div className={styles.why}>
      <ReadNotice of={why} />
      {excerpt ? <figure className={styles.quote}><figcaption>{t('memory.saidBy')}</figcaption><blockquote>{excerpt}</blockquote></figure> : <p>{t(place ? 'memory.saidSomewhere' : 'memory.byHand')}</p>}
      <Facts items={[
        [t('memory.author'), <Author key="a" fact={fact} />],
        [t('memory.learned'), format.moment(fact.created_at)],
        [t('memory.sure'), format.percent(Number(fact.confidence) / 100)],
        [t('memory.valid'), <Validity key="v" fact={fact} />],
        [t('memory.source'), place ? <Link key="c" to={place}>{t('memory.openMessage')}</Link> : t('memory.none')],
        run ? [t('memory.run'), <Link key="r" to={`/runs/${encodeURIComponent(run)}`}>{t('approvals.openRun')}</Link>] : null,
      ]}
      />
      {fact.tainted ? <p><Badge tone="warning">{t('chat.tainted')}</Badge> {t('memory.taintedText')}</p> : null}
      {history.length > 1 ? (
        <section>
          <h3>{t('memory.versions')}</h3>
          <ol className={styles.versions}>
            {history.map((version) => <li key={version.id} aria-current={version.id === fact.id || undefined}>{version.text} <span className={styles.soft}><Author fact={version} />, <Validity fact={version} /></span></li>)}
          </ol>
        </section>
      ) : null}
    </div>
  );
}
