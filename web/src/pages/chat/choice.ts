import { useCallback, useEffect, useState } from 'react';
import { useSession } from '../../app/session';
import { read, write } from '../../app/storage';

/** Who answers, and with what; absent: as the conversation and its team say. */
export interface Choice {
  team?: string;
  agent?: string;
  model?: string;
}

const parts = ['team', 'agent', 'model'] as const;

/** Nothing but names; whatever else was kept is as good as nothing. */
export function toChoice(kept: string | null): Choice {
  try {
    const value: unknown = JSON.parse(kept ?? '{}');
    return Object.fromEntries(Object.entries(value ?? {}).filter(([name, chosen]) => parts.some((p) => p === name) && typeof chosen === 'string' && chosen !== ''));
  } catch {
    return {};
  }
}

const fresh = 'new';

/** Who answers in a conversation, until somebody chooses otherwise or signs out; of one that is about to begin, until it has begun. */
export function useChoice(conversationId: string | undefined) {
  const { user } = useSession();
  const name = `${conversationId ?? fresh}/choice`;
  const [choice, setChoice] = useState<Choice>(() => toChoice(read('draft', name, user.id)));
  useEffect(() => {
    const kept = toChoice(JSON.stringify(choice));
    write('draft', name, Object.keys(kept).length > 0 ? JSON.stringify(kept) : null, user.id);
  }, [choice, name, user.id]);
  /** The conversation has begun, and the choice is its own: the next new one begins without. */
  const began = useCallback(() => { write('draft', `${fresh}/choice`, null, user.id); }, [user.id]);
  return { choice, setChoice, began };
}
