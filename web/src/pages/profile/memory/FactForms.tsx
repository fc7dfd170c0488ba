import { useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { api, versioned } from '../../../api/client';
import { Problem } from '../../../api/problem';
import { Checkbox, TextArea, TextField } from '../../../ui/Field';
import { Form } from '../../../ui/Form';
import { Loading } from '../../../ui/Layout';
import { ReadNotice } from '../../../ui/Notice';
import { at, dayOf, endOf, type Fact } from './facts';

interface Entry {
  text: string;
  sensitive: boolean;
  /** A day, or empty: until further notice. */
  until: string;
}

const fields = ['text', 'sensitive', 'valid_until'] as const;

function FactFields({ entry, onChange, errors }: { entry: Entry; onChange: (entry: Entry) => void; errors: (field: string) => readonly ReactNode[] | undefined }) {
  const { t } = useTranslation();
  return (
    <>
      <TextArea label={t('memory.fact')} hint={t('memory.factHint')} required rows={3} maxLength={1000} value={entry.text} onChange={(e) => { onChange({ ...entry, text: e.target.value }); }} errors={errors('text')} />
      <TextField label={t('memory.until')} hint={t('memory.untilHint')} type="date" value={entry.until} onChange={(e) => { onChange({ ...entry, until: e.target.value }); }} errors={errors('valid_until')} />
      <Checkbox label={t('memory.isSensitive')} hint={t('memory.sensitiveHint')} checked={entry.sensitive} onChange={(e) => { onChange({ ...entry, sensitive: e.target.checked }); }} />
    </>
  );
}

export function AddFact({ onDone, onCancel }: { onDone: () => Promise<void>; onCancel: () => void }) {
  const { t } = useTranslation();
  const [entry, setEntry] = useState<Entry>({ text: '', sensitive: false, until: '' });
  return (
    <Form
      submit={t('memory.add')} onCancel={onCancel} fields={fields}
      onSubmit={async () => {
        // Unless it is said to be sensitive, its words decide.
        const body = { text: entry.text.trim(), ...(entry.sensitive && { sensitive: true }), ...(entry.until && { valid_until: endOf(entry.until) }) };
        await api.POST('/api/v1/memory', { body }); // the same words again are no second fact
        await onDone();
      }}
    >
      {(errors) => <FactFields entry={entry} onChange={setEntry} errors={errors} />}
    </Form>
  );
}

interface CorrectProps {
  id: string;
  onDone: () => Promise<void>;
  onCancel: () => void;
  /** It is no longer there: forgotten, or corrected elsewhere. */
  onGone: () => void;
}

export function CorrectFact(props: CorrectProps) {
  const { t } = useTranslation();
  const fact = useQuery({ queryKey: ['fact', props.id], gcTime: 0, staleTime: 'static', queryFn: () => versioned(api.GET('/api/v1/memory/{id}', at(props.id))) });
  if (fact.isLoadingError) return <ReadNotice of={fact} />;
  if (fact.isPending) return <Loading label={t('state.loading')} />;
  return <><ReadNotice of={fact} /><CorrectForm key={fact.data.etag} {...props} fact={fact.data.value} etag={fact.data.etag} onReload={() => void fact.refetch()} /></>;
}

function CorrectForm({ fact, etag, onReload, onDone, onCancel, onGone }: CorrectProps & { fact: Fact; etag: string; onReload: () => void }) {
  const { t } = useTranslation();
  const before: Entry = { text: fact.text, sensitive: fact.sensitivity === 'sensitive', until: fact.valid_until ? dayOf(fact.valid_until) : '' };
  const [entry, setEntry] = useState(before);
  const save = async (match: string) => {
    const body = { text: entry.text.trim(), ...(entry.sensitive !== before.sensitive && { sensitive: entry.sensitive }), ...(entry.until !== before.until && { valid_until: entry.until ? endOf(entry.until) : null }) };
    try {
      await api.PATCH('/api/v1/memory/{id}', { ...at(fact.id), body, headers: { 'If-Match': match } });
    } catch (error) {
      if (error instanceof Problem && error.status === 404) onGone();
      throw error;
    }
    await onDone();
  };
  return (
    <Form submit={t('action.save')} onCancel={onCancel} fields={fields} onSubmit={() => save(etag)} onReload={onReload} onOverwrite={() => save('*')}>
      {(errors) => <FactFields entry={entry} onChange={setEntry} errors={errors} />}
    </Form>
  );
}
