import { useCallback, useState } from 'react';
import { useSession } from './session';
import { read, write } from './storage';

interface Draft {
  text: string;
  setText: (text: string) => void;
  /** It went its way, or is not wanted any more. */
  forget: () => void;
  /** Something other than the text it begins with was there when the page was opened. */
  wasKept: boolean;
}

/** What somebody writes and has not sent: there again after a reload, gone with sign-out. */
export function useDraft(name: string, begins = ''): Draft {
  const { user } = useSession();
  const [kept] = useState(() => read('draft', name, user.id));
  const [text, setShown] = useState(kept ?? begins);
  const setText = useCallback((now: string) => {
    setShown(now);
    write('draft', name, now === begins ? null : now, user.id);
  }, [name, begins, user.id]);
  const forget = useCallback(() => { setText(begins); }, [setText, begins]);
  return { text, setText, forget, wasKept: kept !== null && kept !== begins };
}
