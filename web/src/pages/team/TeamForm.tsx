import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { api, versioned } from '../../api/client';
import { Problem } from '../../api/problem';
import { useSameRequest } from '../../api/sameRequest';
import type { SchemaTeamView } from '../../api/schema';
import { Dialog } from '../../ui/Dialog';
import { Select, TextArea, TextField } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { useToast } from '../../ui/Toast';
import { emptyTeam, limitNames, mapIn, patterns, teamDefinition, teamDraft, usesMembers, usesSelector, usesWriter, wrongInTeam, type TeamDraft } from './definitions';
import { useAgents, useCatalogChanged } from './data';
import styles from './TeamPage.module.css';

interface DialogProps {
  open: boolean;
  onClose: () => void;
  onSaved: (name: string) => void;
  /** Absent: a new one is made. */
  team?: { value: SchemaTeamView; etag: string };
}

export function TeamDialog({ open, onClose, onSaved, team }: DialogProps) {
  const { t } = useTranslation();
  return (
    <Dialog open={open} onClose={onClose} wide title={team ? t('team.form.editTeam', { name: team.value.name }) : t('team.newTeam')} description={t('team.form.teamText')}>
      <TeamForm onClose={onClose} onSaved={onSaved} {...(team && { team })} />
    </Dialog>
  );
}

const mapFields = ['edges', 'handoffs', 'delegate_patterns'] as const;
const fields = ['name', 'description', 'pattern', 'entry', 'members', 'writer', 'selector', 'coordinator', 'max_rounds', 'max_parallel', ...mapFields, ...limitNames.map((l) => `limits.${l}`)];

function TeamForm({ onClose, onSaved, team }: Omit<DialogProps, 'open'>) {
  const { t } = useTranslation();
  const toast = useToast();
  const cache = useQueryClient();
  const changed = useCatalogChanged();
  const [draft, setDraft] = useState<TeamDraft>(team ? teamDraft(team.value) : emptyTeam);
  const [etag, setEtag] = useState(team?.etag ?? '');
  const same = useSameRequest();
  const change = (part: Partial<TeamDraft>) => { setDraft((d) => ({ ...d, ...part })); };
  const latest = () => versioned(api.GET('/api/v1/teams/{name}', { params: { path: { name: draft.name } } }));
  const put = async (version: string) => {
    const saved = await versioned(api.PUT('/api/v1/teams/{name}', { params: { path: { name: draft.name } }, body: teamDefinition(draft), headers: { 'If-Match': version } }));
    cache.setQueryData(['teams', 'one', draft.name], saved);
  };
  const done = async () => {
    await changed();
    toast(t('team.form.saved', { name: draft.name.trim() }));
    onClose();
    onSaved(draft.name.trim());
  };
  const onSubmit = async () => {
    const wrong = [...mapFields.filter((f) => mapIn(draft[f]) === null).map((f) => [f, 'badMap'] as const), ...wrongInTeam(draft)];
    if (wrong.length > 0) throw new Problem(400, { errors: Object.fromEntries(wrong.map(([field, text]) => [field, [t(`team.form.${text}`)]])) });
    const body = teamDefinition(draft);
    if (team) await put(etag);
    else await same.send(JSON.stringify(body), (key) => api.POST('/api/v1/teams', { body, headers: { 'Idempotency-Key': key } }));
    await done();
  };
  const reload = async () => {
    const now = await latest();
    setDraft(teamDraft(now.value));
    setEtag(now.etag);
    return true;
  };
  return (
    <Form
      submit={t('action.save')} onCancel={onClose} fields={fields} onSubmit={onSubmit}
      {...(team && { onReload: reload, onOverwrite: async () => { await put((await latest()).etag); await done(); } })}
    >
      {(errors) => (
        <>
          <TeamFields draft={draft} onChange={change} errors={errors} isNew={!team} />
          <LimitFields draft={draft} onChange={change} errors={errors} />
        </>
      )}
    </Form>
  );
}

interface FieldsProps {
  draft: TeamDraft;
  onChange: (part: Partial<TeamDraft>) => void;
  errors: (field: string) => readonly ReactNode[] | undefined;
}

function TeamFields({ draft, onChange, errors, isNew }: FieldsProps & { isNew: boolean }) {
  const { t } = useTranslation();
  const agents = useAgents().data?.items ?? [];
  const text = (name: Exclude<keyof TeamDraft, 'limits'>) => ({
    name, label: t(`team.form.${name}`), value: draft[name], errors: errors(name), spellCheck: false,
    onChange: (e: { target: { value: string } }) => { onChange({ [name]: e.target.value }); },
  });
  const map = (name: (typeof mapFields)[number]) => ({ ...text(name), errors: errors(name) ?? (mapIn(draft[name]) === null ? [t('team.form.badMap')] : undefined) });
  const options = (kept: string) => [{ value: '', label: t('team.form.nobody') }, ...agents.map((a) => ({ value: a.name, label: `${a.role} (${a.name})` })), ...(kept !== '' && !agents.some((a) => a.name === kept) ? [{ value: kept, label: kept }] : [])];
  return (
    <>
      <div className={styles.pair}>
        {isNew ? <TextField {...text('name')} hint={t('team.form.nameHint')} required /> : null}
        <Select {...text('pattern')} options={patterns.map((value) => ({ value, label: t(`team.patterns.${value}`) }))} hint={t(`team.patternText.${patterns.find((p) => p === draft.pattern) ?? 'direct'}`)} />
      </div>
      <TextArea {...text('description')} rows={2} spellCheck />
      {usesMembers(draft.pattern) ? <TextArea {...text('members')} hint={t('team.form.membersHint')} /> : null}
      <div className={styles.pair}>
        <Select {...text('entry')} options={options(draft.entry)} />
        {usesWriter(draft.pattern) ? <Select {...text('writer')} options={options(draft.writer)} /> : null}
        {usesSelector(draft.pattern) ? <Select {...text('selector')} options={options(draft.selector)} /> : null}
        <Select {...text('coordinator')} options={options(draft.coordinator)} />
      </div>
      <TextArea {...map('edges')} hint={t('team.form.edgesHint')} rows={5} />
      <div className={styles.pair}>
        <TextArea {...map('handoffs')} hint={t('team.form.handoffsHint')} />
        <TextArea {...map('delegate_patterns')} hint={t('team.form.delegatesHint')} />
      </div>
    </>
  );
}

function LimitFields({ draft, onChange, errors }: FieldsProps) {
  const { t } = useTranslation();
  return (
    <fieldset className={styles.limits}>
      <legend>{t('team.limits')}</legend>
      <div className={styles.pair}>
        {(['max_rounds', 'max_parallel'] as const).map((name) => <TextField key={name} name={name} label={t(`team.form.${name}`)} inputMode="numeric" value={draft[name]} errors={errors(name)} onChange={(e) => { onChange({ [name]: e.target.value }); }} />)}
        {limitNames.map((name) => <TextField key={name} name={name} label={t(`team.limit.${name}`)} inputMode="decimal" placeholder={t('team.form.standard')} value={draft.limits[name]} errors={errors(`limits.${name}`) ?? errors(name)} onChange={(e) => { onChange({ limits: { ...draft.limits, [name]: e.target.value } }); }} />)}
      </div>
    </fieldset>
  );
}
