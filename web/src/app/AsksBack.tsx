import { useBlocker, type BlockerFunction } from 'react-router';
import { Discard } from '../ui/Dialog';
import { useHasUnsaved } from '../ui/unsaved';

/** Links are out of reach then, and whoever saved goes on by itself: only the browser's own buttons lead away. */
const leaves: BlockerFunction = ({ historyAction, currentLocation, nextLocation }) => historyAction === 'POP' && currentLocation.pathname !== nextLocation.pathname;

function Asks() {
  const blocker = useBlocker(leaves);
  return blocker.state === 'blocked' ? <Discard onStay={() => { blocker.reset(); }} onDiscard={() => { blocker.proceed(); }} /> : null;
}

/** The browser's way back takes nobody's words along unasked. */
export function AsksBack() {
  return useHasUnsaved() ? <Asks /> : null;
}
