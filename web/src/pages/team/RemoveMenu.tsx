import { Ellipsis, RotateCcw, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { api } from '../../api/client';
import { Problem } from '../../api/problem';
import { IconButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/Dialog';
import { Menu } from '../../ui/Menu';
import { useToast } from '../../ui/Toast';
import { useCatalogChanged } from './data';

/** What was stored here can be taken back (the file counts again, where there is one) or removed. What only a file says is changed in the file. */
export function RemoveMenu({ kind, name, etag }: { kind: 'agent' | 'team'; name: string; etag: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const toast = useToast();
  const changed = useCatalogChanged();
  const [asking, setAsking] = useState<'revert' | 'delete' | null>(null);
  const remove = async () => {
    const options = { params: { path: { name }, query: { revert: asking === 'revert' } }, headers: { 'If-Match': etag } };
    try {
      if (kind === 'agent') await api.DELETE('/api/v1/agents/{name}', options);
      else await api.DELETE('/api/v1/teams/{name}', options);
    } catch (error) {
      if (error instanceof Problem && error.status === 412) await changed(); // the next attempt is about what is there now, and shown behind the dialog
      throw error;
    }
    toast(t(asking === 'revert' ? 'team.remove.reverted' : 'team.remove.deleted', { name }));
    await navigate('/team');
    await changed();
  };
  const isRevert = asking === 'revert';
  return (
    <>
      <Menu
        trigger={<IconButton label={t('team.remove.menu')}><Ellipsis size={18} aria-hidden /></IconButton>}
        items={[
          { label: t('team.remove.revert'), icon: <RotateCcw size={16} />, onSelect: () => { setAsking('revert'); } },
          null,
          { label: t('action.delete'), icon: <Trash2 size={16} />, danger: true, onSelect: () => { setAsking('delete'); } },
        ]}
      />
      <ConfirmDialog
        open={asking !== null} onClose={() => { setAsking(null); }} danger={!isRevert} title={t(isRevert ? 'team.remove.revertTitle' : 'team.remove.deleteTitle', { name })}
        description={t(isRevert ? 'team.remove.revertText' : 'team.remove.deleteText')} action={t(isRevert ? 'team.remove.revert' : 'action.delete')} onConfirm={remove}
      />
    </>
  );
}
