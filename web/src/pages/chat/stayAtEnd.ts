import { useCallback, useRef, type RefObject } from 'react';

interface Place { top: number; height: number }

/** Closer to the end than this, in pixels, is at the end. */
const near = 80;

/**
 * Whoever stands at the end of a box stays there while it grows; whoever has scrolled up is left in peace. That the end is far away says nothing: content may have grown since the box was moved, and the
 * browser tells of a move only then. Nor does it when the box has moved up because it has become shorter. Only a move up through content that is still there is somebody's wish.
 */
export function useStayAtEnd(box: RefObject<HTMLElement | null>) {
  const atEnd = useRef(true);
  const last = useRef<Place>({ top: 0, height: 0 });
  const look = useCallback((e: HTMLElement) => {
    last.current = { top: e.scrollTop, height: e.scrollHeight };
  }, []);

  /** To be called when content was added or has changed its height, before anything is painted. */
  const onGrown = useCallback(() => {
    const e = box.current;
    if (!e) return;
    if (atEnd.current) e.scrollTo({ top: e.scrollHeight, behavior: 'instant' });
    look(e);
  }, [box, look]);
  const onScroll = useCallback(() => {
    const e = box.current;
    if (!e) return;
    if (e.scrollHeight - e.scrollTop - e.clientHeight < near) atEnd.current = true;
    else if (e.scrollTop < last.current.top - 1 && e.scrollHeight >= last.current.height) atEnd.current = false;
    look(e);
  }, [box, look]);
  const goThere = useCallback(() => {
    atEnd.current = true;
  }, []);
  const leave = useCallback(() => {
    atEnd.current = false;
  }, []);
  return { onGrown, onScroll, goThere, leave };
}
