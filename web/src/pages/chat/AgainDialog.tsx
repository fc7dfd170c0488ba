import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Select } from '../../ui/Field';
import { Dialog } from '../../ui/Dialog';
import { Form } from '../../ui/Form';
import type { Choice } from './Composer';
import { useModels, useTeams } from './data';

/** Asks the same again, of somebody else or with another tier; the old answer stays as a branch. */
export function AgainDialog({ onClose, onAgain }: { onClose: () => void; onAgain: (choice: Choice) => Promise<unknown> }) {
  const { t } = useTranslation();
  const [agent, setAgent] = useState('');
  const [model, setModel] = useState('');
  return (
    <Dialog open onClose={onClose} title={t('chat.again')} description={t('chat.againText')}>
      <Form submit={t('chat.again')} onCancel={onClose} fields={['agent', 'model']} onSubmit={async () => { await onAgain({ ...(agent && { agent }), ...(model && { model }) }); onClose(); }}>
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
  errors?: readonly string[] | undefined;
}

export function AgentSelect({ value, onChange, errors }: Props) {
  const { t } = useTranslation();
  const teams = useTeams();
  const agents = [...new Set(teams.data?.items.flatMap((team) => team.agents.map(String)) ?? [])].sort();
  return <Select label={t('chat.agent')} value={value} onChange={(e) => { onChange(e.target.value); }} errors={errors} options={[{ value: '', label: t('chat.wholeTeam') }, ...agents.map((name) => ({ value: name, label: name }))]} />;
}

export function TierSelect({ value, onChange, errors }: Props) {
  const { t } = useTranslation();
  const models = useModels();
  const tiers = models.data?.tiers.map((tier) => tier.name) ?? [];
  return <Select label={t('chat.tier')} value={value} onChange={(e) => { onChange(e.target.value); }} errors={errors} options={[{ value: '', label: t('chat.usualTier') }, ...tiers.map((name) => ({ value: name, label: name }))]} />;
}
