import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { useToast } from './Toast';

/** Rejects where the browser does not allow it; over plain http it has no clipboard at all. */
export async function copyText(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}

/** Copies, and says so when it could not; gives whether it could. */
export function useCopy(): (text: string) => Promise<boolean> {
  const { t } = useTranslation();
  const toast = useToast();
  return useCallback((text) => copyText(text).then(() => true, () => {
    toast(t('action.notCopied'), { tone: 'danger' });
    return false;
  }), [t, toast]);
}
