import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { api, versioned } from '../../api/client';
import { Problem } from '../../api/problem';
import { useSameRequest } from '../../api/sameRequest';
import type { SchemaAgentView } from '../../api/schema';
import { Dialog } from '../../ui/Dialog';
import { Checkbox, Select, TextArea, TextField } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { useToast } from '../../ui/Toast';
import { agentDefinition, agentDraft, cachePolicies, emptyAgent, isJsonObject, tiers, wrongInAgent, type AgentDraft } from './definitions';
import { useCatalogChanged } from './data';
import styles from './TeamPage.module.css';

interface Known {
  value: SchemaAgentView;
  etag: string;
}

interface DialogProps {
  open: boolean;
  onClose: () => void;
  onSaved: (name: string) => void;
  /** Absent: a new one is made. */
  agent?: Known;
}

export function AgentDialog({ open, onClose, onSaved, agent }: DialogProps) {
  const { t } = useTranslation();
  return (
    <Dialog open={open} onClose={onClose} wide title={agent ? t('team.form.editAgent', { name: agent.value.name }) : t('team.newAgent')} description={t('team.form.agentText')}>
      <AgentForm onClose={onClose} onSaved={onSaved} {...(agent && { agent })} />
    </Dialog>
  );
}

const fields = ['name', 'role', 'description', 'instructions', 'tier', 'model', 'tools', 'planned_tools', 'capabilities', 'temperature', 'avatar', 'output_schema', 'cache'] as const;

function AgentForm({ onClose, onSaved, agent }: Omit<DialogProps, 'open'>) {
  const { t } = useTranslation();
  const toast = useToast();
  const cache = useQueryClient();
  const changed = useCatalogChanged();
  const [draft, setDraft] = useState<AgentDraft>(agent ? agentDraft(agent.value) : emptyAgent);
  const [etag, setEtag] = useState(agent?.etag ?? '');
  const same = useSameRequest();
  const change = (part: Partial<AgentDraft>) => { setDraft((d) => ({ ...d, ...part })); };
  const latest = () => versioned(api.GET('/api/v1/agents/{name}', { params: { path: { name: draft.name } } }));
  const put = async (version: string) => {
    const saved = await versioned(api.PUT('/api/v1/agents/{name}', { params: { path: { name: draft.name } }, body: agentDefinition(draft), headers: { 'If-Match': version } }));
    cache.setQueryData(['agents', 'one', draft.name], saved);
  };
  const done = async () => {
    await changed();
    toast(t('team.form.saved', { name: draft.name.trim() }));
    onClose();
    onSaved(draft.name.trim());
  };
  const badSchema = !isJsonObject(draft.output_schema);
  const onSubmit = async () => {
    const wrong = [...wrongInAgent(draft), ...(badSchema ? [['output_schema', 'badSchema'] as const] : [])];
    if (wrong.length > 0) throw new Problem(400, { errors: Object.fromEntries(wrong.map(([field, text]) => [field, [t(`team.form.${text}`)]])) });
    const body = agentDefinition(draft);
    if (agent) await put(etag);
    else await same.send(JSON.stringify(body), (key) => api.POST('/api/v1/agents', { body, headers: { 'Idempotency-Key': key } }));
    await done();
  };
  const reload = async () => {
    const now = await latest();
    setDraft(agentDraft(now.value));
    setEtag(now.etag);
    return true;
  };
  return (
    <Form
      submit={t('action.save')} onCancel={onClose} fields={fields} onSubmit={onSubmit}
      {...(agent && { onReload: reload, onOverwrite: async () => { await put((await latest()).etag); await done(); } })}
    >
      {(errors) => <AgentFields draft={draft} onChange={change} errors={errors} isNew={!agent} badSchema={badSchema} />}
    </Form>
  );
}

interface FieldsProps {
  draft: AgentDraft;
  onChange: (part: Partial<AgentDraft>) => void;
  errors: (field: string) => readonly ReactNode[] | undefined;
  isNew: boolean;
  badSchema: boolean;
}

function AgentFields({ draft, onChange, errors, isNew, badSchema }: FieldsProps) {
  const { t } = useTranslation();
  const text = (name: Exclude<keyof AgentDraft, 'specialist'>) => ({
    name, label: t(`team.form.${name}`), value: draft[name], errors: errors(name), spellCheck: false,
    onChange: (e: { target: { value: string } }) => { onChange({ [name]: e.target.value }); },
  });
  return (
    <>
      <div className={styles.pair}>
        {isNew ? <TextField {...text('name')} hint={t('team.form.nameHint')} required /> : null}
        <TextField {...text('role')} required spellCheck />
        <TextField {...text('avatar')} hint={t('team.form.avatarHint')} />
      </div>
      <TextArea {...text('description')} hint={t('team.form.descriptionHint')} rows={2} spellCheck />
      <TextArea {...text('instructions')} hint={t('team.form.instructionsHint')} rows={10} spellCheck />
      <div className={styles.pair}>
        <Select {...text('tier')} options={tiers.map((value) => ({ value, label: t(`team.tiers.${value}`) }))} />
        {draft.tier === 'fixed' ? <TextField {...text('model')} required /> : null}
        <TextField {...text('temperature')} inputMode="decimal" hint={t('team.form.temperatureHint')} />
      </div>
      <div className={styles.pair}>
        <TextArea {...text('tools')} hint={t('team.form.toolsHint')} />
        <TextArea {...text('planned_tools')} hint={t('team.form.plannedHint')} />
        <TextArea {...text('capabilities')} hint={t('team.form.capabilitiesHint')} spellCheck />
      </div>
      <Checkbox label={t('team.form.specialist')} hint={t('team.form.specialistHint')} checked={draft.specialist} onChange={(e) => { onChange({ specialist: e.target.checked }); }} />
      <Select {...text('cache')} hint={t('team.form.cacheHint')} options={[{ value: '', label: t('team.caches.own') }, ...cachePolicies.map((value) => ({ value, label: t(`team.caches.${value}`) }))]} />
      <TextArea {...text('output_schema')} hint={t('team.form.schemaHint')} errors={errors('output_schema') ?? (badSchema ? [t('team.form.badSchema')] : undefined)} />
    </>
  );
}
