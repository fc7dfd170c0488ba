import { useBlocker, type BlockerFunction } from 'react-router';
import { Discard } from '../ui/Dialog';
import { useHasUnsaved } from '../ui/unsaved';

/** The browser's own buttons, and shortcuts; whoever saved goes on by itself. */
const leaves: BlockerFunction = ({ currentLocation, nextLocation }) => currentLocation.pathname !== nextLocation.pathname;

function Asks() {
  const blocker = useBlocker(leaves);
  return blocker.state === 'blocked' ? <Discard onStay={() => { blocker.reset(); }} onDiscard={() => { blocker.proceed(); }} /> : null;
}

/** No way to another page takes anybody's words along unasked. */
export function AsksBack() {
  return useHasUnsaved() ? <Asks /> : null;
}
