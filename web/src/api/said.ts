import type { TFunction } from 'i18next';

/**
 * Sentences that the server says in English to whoever reads its answers and its log, as its source has them; `{name}` is what it fills in.
 * Each has a text `said.*` in every language. Of several that fit the one with the most words of its own counts. `said.test.ts` finds those that are missing here.
 */
export const sentences = {
  // Fields: annotations of requests.
  required: 'must not be empty',
  between: 'must be between {least} and {most}',
  least: 'must be at least {least}',
  length: 'must be {least} to {most} characters long',
  longest: 'must be at most {most} characters long',
  most: 'must be at most {most} long',
  fewest: 'must be at least {least} long',
  range: 'must be {least} to {most} long',
  username: 'must match ^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$',
  pattern: 'must match {pattern}',
  oneOf: 'must be one of {values}',
  invalid: 'is not valid',
  missing: 'is required',
  notNull: 'must not be null',
  wrongType: 'is of the wrong type, or not a legal value',
  unknownMember: 'is not a member of this object',
  notNumber: 'must be a number',
  outOfRange: 'is out of range',
  numberOutOfRange: 'contains a number that is out of range',
  nul: 'contains the character NUL',
  tooDeep: 'is nested too deeply: 32 levels are allowed',
  metadata: 'may have at most 64 members and 16 KiB of JSON',
  // Fields: passwords, people, keys.
  passwordText: 'must be text: it contains NUL, or half of a character',
  passwordIsName: 'must not be the username',
  passwordCommon: 'is one of the passwords that are tried first; choose another',
  oldPassword: "is needed to change one's own password",
  actsFor: 'must be ids or names of users, each of 1 to 100 letters, digits, - or _',
  among: 'must be among: {values}',
  noPermission: '{scope} is no permission; there are: {values}',
  future: 'must be in the future',
  secretName: "must begin with a letter and have at most 64 letters, digits, '_', '.' or '-'",
  userId: 'must be 1 to 100 letters, digits, - or _',
  noUser: 'is no user; GET /api/v1/users lists them for administrators',
  // Fields: lists, searches and places in a text.
  cursor: 'is not a cursor of this list; leave it away to begin at the start',
  time: 'must be a time as in {example}',
  beforeTo: 'must be before `to`, and at most {most} buckets earlier',
  searchLength: 'must have {least} to {most} characters',
  query: 'must be at most 500 characters',
  position: 'must be 0 or more, and end not before start',
  beyond: 'is beyond the log, whose newest event is {last}',
  neededFor: 'is needed for {kind}',
  fileMissing: 'is missing',
  tooLong: 'is too long',
  renamed: 'must be left out or equal the name in the path; a new name is a new resource',
  // Agents and teams.
  agentName: 'must be a lower-case letter, then at most 63 lower-case letters, digits or underscores.',
  teamName: 'must be a lower-case letter, then at most 63 lower-case letters, digits, underscores or hyphens.',
  atMostHas: 'must have at most {most} characters; it has {count}.',
  lengthHas: 'must have {least}–{most} characters; it has {count}.',
  control: 'must not hold control characters or broken Unicode.',
  promptMissing: 'must not be empty.',
  cache: "'{value}' is not known. Legal: none, public; leave it out to keep each user's answers for that user.",
  tier: "'{value}' is no tier. Legal: {values}.",
  fixedModel: 'must be given with tier fixed, and only then.',
  fromTo: 'must be from {least} to {most}.',
  fromToIs: 'must be from {least} to {most}; it is {value}.',
  toolNames: 'must hold tool names: 1–64 letters, digits, underscores or hyphens each.',
  builtIn: "'{tool}' is built in and comes from the team's edges; leave it out.",
  mostNames: 'must not hold more than {most} names.',
  mostEntries: 'must not hold more than {most} entries.',
  schemaObject: 'must be a JSON schema with "type": "object": answers are objects.',
  patternName: "'{value}' is no pattern. Legal: {values}.",
  namesOnly: 'members, edges, handoffs and delegate_patterns must hold names only.',
  mentions: 'members, edges and handoffs must not hold more than {most} names together.',
  teamTokens: 'must be 0 (no limit) or from 1,000 to 1,000,000,000,000; it is {value}.',
  teamCost: 'must be from 0 (no limit) to 10,000 US dollars with at most six decimals.',
  needsMembers: '{pattern} needs 2–32 members.',
  noMembers: '{pattern} has no members: who takes part follows from the edges.',
  agentAddress: 'is an address of the API by itself; choose another.',
  namedTwice: 'names an agent twice.',
  needsEntry: '{pattern} needs the agent that enters first.',
  oneOfMembers: 'must be one of the members.',
  writerFor: 'is for concurrent (who aggregates) and plan (who writes the answer).',
  selectorFor: 'is for group_chat.',
  coordinatorFor: 'is for plan, or a team whose delegate_patterns name plan.',
  needsWriter: 'concurrent needs the agent that puts the results together.',
  noAgent: "there is no agent '{agent}'. Legal: {values}.",
  selfEdge: 'leads to itself.',
  twoWays: "'{agent}' is a delegation and a handoff; say which.",
  unreached: "cannot be reached: no edge leads from '{from}' or a member to '{agent}'.",
  circle: 'delegations go round in a circle: {agents}. Work would come back to whoever gave it; remove one of these edges, or make it a handoff.',
  delegatePattern: "'{value}' cannot be the pattern of a delegated task. Legal: direct, plan.",
  nobodyDelegates: 'nobody delegates to this agent.',
  runsBelow: 'must be at least {least}: members of concurrent, tasks of a plan and delegated work are runs of their own below it.',
  // Why a call waits for a yes.
  actsOutside: '{tool} changes something outside.',
  sendsComposed: 'This request would send text that the model composed after reading text from outside.',
  remembers: 'This would be remembered for later conversations.',
  forgets: 'This would remove what is remembered, for good.',
  // Why nobody knows what became of a call.
  lostWhileRunning: 'The worker was lost while {tool} was running, so nobody knows whether it acted. Look, then say: done, repeat or cancel.',
  mistakeWhileRunning: 'The server made a mistake (trace {trace}) while {tool} was running, so nobody knows whether it acted. Look, then say: done, repeat or cancel.',
  lostAfterCall: 'The worker was lost after this call may have left; nobody knows whether it took effect.',
  noAnswer: '{tool} did not answer within {seconds} seconds.',
  toolBroke: 'The tool failed because of an internal error; it was logged. Try another way.',
  cutOff: 'The call was cut off after it had been sent. The request may have had its effect.',
  mayHaveActed: 'It may have taken effect.',
  // Limits and guards.
  steps: 'The run and its subtasks took {count} steps; the limit is {limit}.',
  tokens: 'The run and its subtasks used {count} tokens; the limit is {limit}.',
  cost: 'The run and its subtasks cost {cost} USD; the limit is {limit} USD.',
  wallTime: 'The run and its subtasks have been worked on for {count} seconds, waiting for people or for their turn not counted; the limit is {limit}.',
  nearSteps: 'The run and its subtasks have taken {count} of their {limit} steps; each answer and each round of tool calls is one.',
  nearTokens: 'The run and its subtasks have used {count} of their {limit} tokens.',
  nearCost: 'The run and its subtasks have cost {cost} of their {limit} USD.',
  nearWallTime: 'The run and its subtasks have been worked on for {count} of their {limit} seconds.',
  nearHint: 'Finish now: answer with what there is, and say what is missing.',
  depth: 'Tasks may be delegated {limit} levels deep, and this is the last one.',
  depthHint: 'Do it yourself, or say what is missing.',
  children: 'The run has {count} subtasks; the limit is {limit}.',
  childrenHint: 'Go on with what there is.',
  keptAsking: 'The agent kept asking for more, also after a hint.',
  keptOfLimit: "What was done so far is kept in the run's log; ask again with a smaller task, or raise the limit.",
  loopHint: 'You called {tool} {count} times with the same arguments and got the same result. Do not call it so again: use the result you have, change the arguments, or answer with what you know.',
  loop: 'Stopped because the tool {tool} was called {count} times with the same arguments and the same result, also after a hint. What was found before is kept; ask again with more detail, or in smaller steps.',
  loopUnknownHint: 'You called a tool that does not exist {count} times. Do not call it again: use the tools that you have, or answer with what you know.',
  loopUnknown: 'Stopped because a tool that does not exist was called {count} times, also after a hint. What was found before is kept; ask again with more detail, or in smaller steps.',
  pingPongHint: '{from} and {to} have handed this work to each other {count} times. Do not hand it back again: do your part now, or answer with what is there and say what is missing.',
  pingPong: 'Stopped because {from} and {to} handed the work to each other {count} times without finishing it, also after a hint. What was written before is kept; ask one of them directly.',
  failingHint: 'The last {count} tool calls failed. Read their errors and change the approach, or answer without these tools and say what could not be done.',
  failing: "Stopped because {count} tool calls in a row failed, also after a hint. The errors are in the run's log; check that the services these tools need are reachable, then try again.",
  calls: 'You asked for {count} tool calls in one answer; only the first {taken} were taken.',
  speaker: 'The choice of the next speaker could not be used: {error}.',
  plan: 'The {purpose} could not be used: {error}.',
  waitsForModel: 'The run waits and tries again by itself.',
  partOfWork: 'A part of the work (run {run}) waits for a person:',
} as const;

export type SaidKey = keyof typeof sentences;
export const saidKeys = Object.keys(sentences) as SaidKey[];

interface Known {
  key: SaidKey;
  values: Record<string, string>;
}

const patterns = saidKeys.map((key) => {
  const names: string[] = [];
  const source = sentences[key].split(/(\{[a-z]+\})/).map((part) => {
    if (!/^\{[a-z]+\}$/.test(part)) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    names.push(part.slice(1, -1));
    return '(.+?)';
  }).join('');
  // Only a whole sentence can have others after it.
  return { key, names, own: source.length - 5 * names.length, whole: new RegExp(`^${source}$`, 's'), first: new RegExp(/[.:]$/.test(sentences[key]) ? `^${source}(?= )` : '(?!)', 's') };
}).sort((a, b) => b.own - a.own);

/** What the server said, piece by piece: in the language of the page where the sentence is known, in its own words (`known` false) where it is not. */
export interface Piece {
  text: string;
  known: boolean;
}

/** Sentences follow each other in one text; from the first that is not known the rest stays as it is, up to those at its end that are known again. */
export function saidPieces(t: TFunction, text: string): Piece[] {
  const whole = match(text, 'whole');
  if (whole) return [piece(t, whole)];
  const first = match(text, 'first');
  if (first) return [piece(t, first), ...saidPieces(t, text.slice(first.length + 1))];
  const last = ends.find((key) => text.endsWith(` ${sentences[key]}`));
  if (last) return [...saidPieces(t, text.slice(0, -sentences[last].length - 1)), piece(t, { key: last, values: {} })];
  return [{ text, known: false }];
}

/** All of it in one line, where nothing can be marked. */
export function saidLine(t: TFunction, text: string): string {
  return saidPieces(t, text).map((piece) => piece.text).join(' ');
}

/** Said after something that nobody can list. */
const ends = ['waitsForModel', 'mayHaveActed', 'keptOfLimit'] as const;

function match(text: string, how: 'whole' | 'first'): (Known & { length: number }) | undefined {
  for (const { key, names, [how]: pattern } of patterns) {
    const found = pattern.exec(text);
    // What is filled in is a word, a number or a list: a hole that swallows a sentence is none.
    if (found && (how === 'whole' ? !found.slice(1).some((value) => /\. [A-Z]/.test(value)) : !found.slice(1).some((value) => value.includes('. '))))
      return { key, values: Object.fromEntries(names.map((name, i) => [name, found[i + 1] ?? ''])), length: found[0].length };
  }
  return undefined;
}

function piece(t: TFunction, { key, values }: Known): Piece {
  return { text: t(`said.${key}`, values), known: true };
}
