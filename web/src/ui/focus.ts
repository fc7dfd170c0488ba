import { useState } from 'react';

/** What had the focus when this component came; of a menu that is about to close, what opened it. */
function origin(): Element | null {
  const at = document.activeElement;
  const opener = at?.closest('[role=menu]')?.getAttribute('aria-labelledby');
  return opener ? document.getElementById(opener) : at;
}

/** Gives the focus back to where it was when the component came. For what opens over a page without a trigger of its own. */
export function useFocusBack(): (event: Event) => void {
  const [from] = useState(origin);
  return (event) => {
    if (!(from instanceof HTMLElement) || !from.isConnected) return;
    event.preventDefault();
    from.focus();
  };
}
