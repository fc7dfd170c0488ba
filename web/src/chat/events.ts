/** What a run's log and its live stream consist of (docs/events.md). Types and members that are not known are passed over. */
export interface RunEvent {
  type: string;
  run_id: string;
  /** Position in the log of its run; for a live piece: of the stored event before it. */
  seq: number;
  /** Live pieces only: its number after that event, from 1. */
  n?: number;
  agent?: string;
  created_at: string;
  [member: string]: unknown;
}

export const finals: ReadonlySet<string> = new Set(['run.completed', 'run.failed', 'run.cancelled']);
const pieces: ReadonlySet<string> = new Set(['message.delta', 'reasoning.delta', 'tool.progress', 'message.snapshot']);

export function isPiece(event: RunEvent): boolean {
  return pieces.has(event.type);
}

export function isFinal(event: RunEvent): boolean {
  return finals.has(event.type);
}

/** A member that should be a text; hostile or future logs may hold anything. */
export function str(event: RunEvent, name: string): string {
  const value = event[name];
  return typeof value === 'string' ? value : '';
}

export function num(event: RunEvent, name: string): number {
  const value = event[name];
  return typeof value === 'number' ? value : 0;
}
