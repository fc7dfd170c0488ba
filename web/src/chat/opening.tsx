import { createContext, use, type ReactNode } from 'react';
import type { Source } from './citations';

/** Opens a source beside the conversation; absent: nothing can be opened here. */
export type OpenSource = (source: Source) => void;
const Opening = createContext<OpenSource | null>(null);

export function useOpenSource(): OpenSource | null {
  return use(Opening);
}

export function SourceOpening({ onOpen, children }: { onOpen: OpenSource; children: ReactNode }) {
  return <Opening value={onOpen}>{children}</Opening>;
}
