import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { FileText } from 'lucide-react';
import { useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, data } from '../../api/client';
import type { SchemaLogLine } from '../../api/schema';
import { useFormat } from '../../i18n/format';
import { Button } from '../../ui/Button';
import { Checkbox, Select, TextField } from '../../ui/Field';
import { Badge, EmptyState, Loading } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import styles from './LogsSection.module.css';
import { Filters, Section } from './Section';

const levels = ['trace', 'debug', 'info', 'warning', 'error', 'critical'] as const;

/** The last lines of the instance that answers; followed by asking again. */
export default function LogsSection() {
  const { t } = useTranslation();
  const [level, setLevel] = useState('info');
  const [typed, setTyped] = useState('');
  const [component, setComponent] = useState('');
  const [follow, setFollow] = useState(false);
  const logs = useQuery({
    queryKey: ['logs', level, component],
    queryFn: () => data(api.GET('/api/v1/logs', { params: { query: { level, limit: 1000, ...(component && { component }) } } })),
    refetchInterval: follow ? 5_000 : false,
    placeholderData: keepPreviousData,
  });
  return (
    <Section title={t('admin.section.logs')} intro={logs.data ? t('admin.logs.intro', { instance: logs.data.instance }) : undefined} actions={<Button busy={logs.isFetching && !follow} onClick={() => void logs.refetch()}>{t('admin.refresh')}</Button>}>
      <form onSubmit={(e) => { e.preventDefault(); setComponent(typed.trim()); }}>
        <Filters label={t('admin.filter')}>
          <Select label={t('admin.logs.level')} value={level} onChange={(e) => { setLevel(e.target.value); }} options={levels.map((value) => ({ value, label: t(`admin.logs.levels.${value}`) }))} />
          <TextField label={t('admin.logs.component')} value={typed} spellCheck={false} autoCapitalize="none" onChange={(e) => { setTyped(e.target.value); }} />
          <div><Button type="submit">{t('admin.show')}</Button></div>
          <Checkbox label={t('admin.logs.follow')} hint={t('admin.logs.followHint')} checked={follow} onChange={(e) => { setFollow(e.target.checked); }} />
        </Filters>
      </form>
      <ReadNotice of={logs} />
      {logs.isPending ? <Loading label={t('state.loading')} /> : logs.isLoadingError ? null : logs.data.logs.length === 0
        ? <EmptyState icon={<FileText size={32} />} title={t('admin.logs.none')} /> : <Lines lines={logs.data.logs} />}
    </Section>
  );
}

const tone = (level: string) => level === 'error' || level === 'critical' ? 'danger' : level === 'warning' ? 'warning' : 'neutral';

function Lines({ lines }: { lines: readonly SchemaLogLine[] }) {
  const { t } = useTranslation();
  const format = useFormat();
  const scroll = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- nothing of it is memoized
  const rows = useVirtualizer({ count: lines.length, getScrollElement: () => scroll.current, estimateSize: () => 56, overscan: 12 });
  return (
    <div ref={scroll} className={styles.lines} role="region" aria-label={t('admin.logs.lines')} tabIndex={0}>
      <ol className={styles.all} style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((row) => {
          const line = lines[row.index];
          return line ? (
            <li key={row.key} ref={rows.measureElement} data-index={row.index} aria-setsize={lines.length} aria-posinset={row.index + 1} className={styles.line} style={{ transform: `translateY(${row.start}px)` }}>
              <div className={styles.meta}>
                <time dateTime={line.timestamp}>{format.exact(line.timestamp)}</time>
                <Badge tone={tone(line.level)}>{t(`admin.logs.levels.${line.level}`, { defaultValue: line.level })}</Badge>
                <span className={styles.component}>{line.component}</span>
                {line.run_id ? <Link to={`/runs/${line.run_id}`}>{t('admin.logs.run')}</Link> : null}
              </div>
              <div className={styles.message} lang="en">{line.message}</div>
            </li>
          ) : null;
        })}
      </ol>
    </div>
  );
}
