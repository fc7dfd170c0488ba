import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Select } from '../../ui/Field';
import { Dialog } from '../../ui/Dialog';
import { Form } from '../../ui/Form';
import { useTeams } from '../team/data';
import type { Choice } from './choice';
import { useModels } from './data';

/** Asks the same again, of somebody else or with another tier; the old answer stays as a branch. Begins with what is chosen for the conversation. */
export function AgainDialog({ choice = {}, onClose, onAgain }: { choice?: Choice | undefined; onClose: () => void; onAgain: (choice: Choice) => Promise<unknown> }) {
  const { t } = useTranslation();
  const [agent, setAgent] = useState(choice.agent ?? '');
  const [model, setModel] = useState(choice.model ?? '');
  return (
    <Dialog open onClose={onClose} title={t('chat.again')} description={t('chat.againText')}>
      <Form submit={t('chat.again')} onCancel={onClose} fields={['agent', 'model']} onSubmit={async () => { await onAgain({ ...(choice.team && { team: choice.team }), ...(agent && { agent }), ...(model && { model }) }); onClose(); }}>
        {(errors) => (
          <>
            <AgentSelect value={agent} onChange={setAgent} errors={errors('agent')} />
            <TierSelect value={model} onChange={setModel} errors={errors('model')} />
          </>
        )}
      </Form>
    </Dialog>
  );
}

interface Props {
  value: string;
  onChange: (value: string) => void;
  errors?: readonly ReactNode[] | undefined;
}

export function AgentSelect({ value, onChange, errors }: Props) {
  const { t } = useTranslation();
  const teams = useTeams(60_000);
  const agents = [...new Set(teams.data?.flatMap((team) => team.agents.map(String)) ?? [])].sort();
  return <Select label={t('chat.agent')} value={value} onChange={(e) => { onChange(e.target.value); }} errors={errors} options={[{ value: '', label: t('chat.wholeTeam') }, ...named(agents, value)]} />;
}

export function TierSelect({ value, onChange, errors }: Props) {
  const { t } = useTranslation();
  const models = useModels();
  const tiers = models.data?.tiers.map((tier) => tier.name) ?? [];
  return <Select label={t('chat.tier')} value={value} onChange={(e) => { onChange(e.target.value); }} errors={errors} options={[{ value: '', label: t('chat.usualTier') }, ...named(tiers, value)]} />;
}

/** Names to choose from. One that was chosen and is no longer there stays to be seen: what would be sent is what is shown. */
export function named(names: readonly string[], chosen = ''): { value: string; label: string }[] {
  return [...names, ...(chosen === '' || names.includes(chosen) ? [] : [chosen])].map((name) => ({ value: name, label: name }));
}
