import { useEffect, useEffectEvent, type RefObject } from 'react';
import { inDialog } from './focus';
import { useMedia } from './media';

/**
 * Of what lies over the page where there is no room beside it (`narrow`, a media query): whether it does now. What is under it then has to be inert, so that the focus never goes where nobody sees it (WCAG 2.4.11).
 * Escape closes it, and the focus goes back to what opened it.
 */
export function useCover(open: boolean, narrow: string, onClose: () => void, opener: RefObject<HTMLElement | null>): boolean {
  const covers = useMedia(narrow) && open;
  const close = useEffectEvent(onClose);
  useEffect(() => {
    if (!covers) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || event.isComposing || inDialog()) return;
      close();
      setTimeout(() => opener.current?.focus()); // it may be inert until then
    };
    addEventListener('keydown', onKey);
    return () => { removeEventListener('keydown', onKey); };
  }, [covers, opener]);
  return covers;
}
