import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, versioned } from '../../api/client';
import { Dialog } from '../../ui/Dialog';
import { TextField } from '../../ui/Field';
import { Form } from '../../ui/Form';
import { Loading } from '../../ui/Layout';
import { ReadNotice } from '../../ui/Notice';
import type { Conversation } from './data';

interface NameProps {
  conversation: Conversation;
  title: string;
  label: string;
  hint?: string;
  /** What stands in the field at first, of the conversation as it is when the dialog opens. */
  valueOf: (conversation: Conversation) => string;
  suggestions?: readonly string[];
  required?: boolean;
  onClose: () => void;
  /** `match`: the tag of the version that is to be changed. */
  onSave: (value: string, match: string) => Promise<unknown>;
}

const read = (id: string) => versioned(api.GET('/api/v1/conversations/{id}', { params: { path: { id } } }));

/** Gives a conversation a name or a folder, and asks if somebody else changed it since the dialog was opened. */
export function NameDialog({ title, ...rest }: NameProps) {
  const { t } = useTranslation();
  const { id } = rest.conversation;
  const found = useQuery({ queryKey: ['conversation-name', id], gcTime: 0, staleTime: 'static', queryFn: () => versioned(api.GET('/api/v1/conversations/{id}', { params: { path: { id } } })) });
  return (
    <Dialog open onClose={rest.onClose} title={title}>
      <ReadNotice of={found} />
      {found.isPending ? <Loading label={t('state.loading')} /> : null}
      {found.data ? <NameForm key={found.data.etag} {...rest} conversation={found.data.value} etag={found.data.etag} onReload={() => void found.refetch()} /> : null}
    </Dialog>
  );
}

function NameForm({ conversation, label, hint, valueOf, suggestions = [], required = false, onClose, onSave, etag, onReload }: Omit<NameProps, 'title'> & { etag: string; onReload: () => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(() => valueOf(conversation));
  const [lacks, setLacks] = useState(false);
  const save = async (match: string) => {
    await onSave(text, match);
    onClose();
  };
  const submit = async () => {
    const isMissing = required && text.trim() === '';
    setLacks(isMissing);
    if (!isMissing) await save(etag);
    return !isMissing;
  };
  return (
    <Form
      submit={t('action.save')} onCancel={onClose} fields={['title', 'folder']} onSubmit={submit} onReload={onReload}
      onOverwrite={async () => { await save((await read(conversation.id)).etag); }}
    >
      {(errors) => (
        <>
          <TextField label={label} {...(hint && { hint })} value={text} maxLength={200} required={required} list="suggestions" onChange={(e) => { setText(e.target.value); }} errors={lacks ? [t('chat.folderNeedsName')] : errors('title') ?? errors('folder')} />
          <datalist id="suggestions">{suggestions.map((s) => <option key={s} value={s} />)}</datalist>
        </>
      )}
    </Form>
  );
}
