/** What the visualisation socket tells, folded into what is to be seen: who works, what goes from whom to whom, and the last things that happened. */
export type Mood = 'receiving' | 'thinking' | 'responding' | 'forwarding' | 'waiting';

export interface Doing {
  mood: Mood;
  message: string;
  flowId: string;
  at: number;
}

export interface Pulse {
  id: number;
  from: string;
  to: string;
}

export interface Happening {
  id: number;
  kind: 'start' | 'thought' | 'end';
  flowId: string;
  agent: string;
  target: string;
  mood: Mood | null;
  text: string;
  at: string;
}

export interface ActivityState {
  /** By agent: what it does now; those who do nothing are not in it. */
  doing: ReadonlyMap<string, Doing>;
  flows: ReadonlySet<string>;
  pulses: readonly Pulse[];
  /** Newest first. */
  feed: readonly Happening[];
  count: number;
}

export const nothing: ActivityState = { doing: new Map(), flows: new Set(), pulses: [], feed: [], count: 0 };

export const limits = { pulses: 24, feed: 60, flows: 200, text: 300 } as const;

/** The socket has no word for waiting: the server says it in this thought. */
const waits = 'waits for an approval of ';

const moods: readonly string[] = ['receiving', 'thinking', 'responding', 'forwarding'] satisfies Mood[];

/** Frames come from the server but carry what models and tools wrote: what is not as expected is left out. */
export function show(state: ActivityState, frame: unknown): ActivityState {
  if (!isObject(frame) || typeof frame['flow_id'] !== 'string' || !isObject(frame['data'])) return state;
  const flowId = frame['flow_id'];
  const data = frame['data'];
  switch (frame['event_type']) {
    case 'message_flow_start':
      return tell({ ...state, flows: new Set([...state.flows, flowId].slice(-limits.flows)) }, { kind: 'start', flowId, agent: '', target: '', mood: null, text: text(data['user_message']), at: text(data['timestamp']) });
    case 'agent_thought':
      return think(state, flowId, data);
    case 'message_flow_complete':
      return tell(
        { ...state, flows: new Set([...state.flows].filter((f) => f !== flowId)), doing: new Map([...state.doing].filter(([, d]) => d.flowId !== flowId)) },
        { kind: 'end', flowId, agent: '', target: '', mood: null, text: text(data['final_response']), at: '' },
      );
    default:
      return state;
  }
}

function think(state: ActivityState, flowId: string, data: Record<string, unknown>): ActivityState {
  const agent = text(data['agent_id']);
  const said = text(data['thought_type']);
  if (agent === '' || !isMood(said)) return state;
  const target = text(data['target_agent']);
  const message = text(data['message']);
  const mood = said === 'thinking' && message.startsWith(waits) ? 'waiting' : said;
  const doing = new Map(state.doing);
  doing.set(agent, { mood, message, flowId, at: state.count });
  let { pulses } = state;
  if (target !== '' && target !== agent) {
    doing.set(target, { mood: 'receiving', message, flowId, at: state.count });
    pulses = [...pulses.slice(1 - limits.pulses), { id: state.count, from: agent, to: target }];
  }
  return tell({ ...state, doing, pulses }, { kind: 'thought', flowId, agent, target, mood, text: message, at: text(data['timestamp']) });
}

function tell(state: ActivityState, happening: Omit<Happening, 'id'>): ActivityState {
  return { ...state, count: state.count + 1, feed: [{ ...happening, id: state.count }, ...state.feed].slice(0, limits.feed) };
}

/** The way has been shown: the light is put out. */
export function arrived(state: ActivityState, id: number): ActivityState {
  return { ...state, pulses: state.pulses.filter((p) => p.id !== id) };
}

function isMood(value: string): value is Mood {
  return moods.includes(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, limits.text) : '';
}

/** Of a run itself, not of one below it. */
const forPeople: readonly string[] = ['waiting_approval', 'waiting_input', 'needs_review'];

/** The same with who waits for a person: by the last thought of a run, or as the list of runs has it. `waiting`: the runs that do. */
export function withWaiting(state: ActivityState, flows: readonly { flow_id: string; status: string }[]): { state: ActivityState; waiting: ReadonlySet<string> } {
  const listed = new Set(flows.filter((f) => forPeople.includes(f.status)).map((f) => f.flow_id));
  const last = new Map<string, Doing>();
  for (const doing of state.doing.values()) if (doing.at >= (last.get(doing.flowId)?.at ?? 0)) last.set(doing.flowId, doing);
  const waiting = new Set([...state.flows].filter((f) => listed.has(f) || last.get(f)?.mood === 'waiting'));
  const doing = new Map([...state.doing].map(([agent, d]) => [agent, listed.has(d.flowId) ? { ...d, mood: 'waiting' as const } : d]));
  return { state: { ...state, doing }, waiting };
}
