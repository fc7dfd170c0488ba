import { useTranslation } from 'react-i18next';
import { useFormat } from '../../../i18n/format';
import { dayOf, type Fact } from './facts';

/** Who wrote it: oneself, an agent when it was told to, or the reading after a run. */
export function Author({ fact }: { fact: Fact }) {
  const { t } = useTranslation();
  switch (fact.author_kind) {
    case 'user': return <>{t('memory.by.user')}</>;
    case 'agent': return <>{t('memory.by.agent', { agent: fact.author })}</>;
    default: return <>{t('memory.by.extraction')}</>;
  }
}

export function Validity({ fact }: { fact: Fact }) {
  const { t } = useTranslation();
  const format = useFormat();
  const from = format.day(fact.valid_from);
  return <>{fact.valid_until ? t('memory.fromUntil', { from, until: format.dayInUtc(dayOf(fact.valid_until)) }) : t('memory.from', { from })}</>;
}
