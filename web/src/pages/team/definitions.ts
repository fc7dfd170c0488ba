import type { SchemaAgentDefinition, SchemaAgentView, SchemaTeamDefinition, SchemaTeamView } from '../../api/schema';
import { textLists, texts } from './graph';

/** What stands in a form's controls: texts, until they are sent. */
export interface AgentDraft {
  name: string;
  role: string;
  description: string;
  instructions: string;
  tier: string;
  model: string;
  tools: string;
  planned_tools: string;
  capabilities: string;
  temperature: string;
  specialist: boolean;
  avatar: string;
  output_schema: string;
  cache: string;
}

export const limitNames = ['max_steps', 'max_children', 'max_depth', 'max_tokens', 'max_cost_usd', 'max_wall_seconds'] as const;
export type LimitName = (typeof limitNames)[number];
export const patterns = ['direct', 'handoff', 'sequential', 'concurrent', 'group_chat', 'plan'] as const;
export const tiers = ['cheap', 'standard', 'premium', 'fixed'] as const;
/** What the cache of answers may do with an agent's, beside the usual. */
export const cachePolicies = ['none', 'public'] as const;

export interface TeamDraft {
  name: string;
  description: string;
  pattern: string;
  entry: string;
  members: string;
  writer: string;
  selector: string;
  coordinator: string;
  max_rounds: string;
  max_parallel: string;
  edges: string;
  handoffs: string;
  delegate_patterns: string;
  limits: Record<LimitName, string>;
}

/** Names between commas, spaces or lines; each once. */
export function namesIn(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}

/** Phrases: one a line; they may have commas. */
export function phrasesIn(text: string): string[] {
  return [...new Set(text.split('\n').map((t) => t.trim()).filter(Boolean))];
}

/** A line `agent: other, another` for each agent; lines of the same agent are put together. Null: a line has no colon. */
export function mapIn(text: string): Record<string, string[]> | null {
  const found = new Map<string, string[]>();
  for (const line of text.split('\n').map((l) => l.trim()).filter(Boolean)) {
    const colon = line.indexOf(':');
    if (colon < 1) return null;
    const key = line.slice(0, colon).trim();
    found.set(key, [...new Set([...(found.get(key) ?? []), ...namesIn(line.slice(colon + 1))])]);
  }
  return Object.fromEntries(found);
}

export function mapOut(map: Readonly<Record<string, readonly string[]>>): string {
  return Object.entries(map).map(([key, list]) => `${key}: ${list.join(', ')}`).join('\n');
}

const whole = /^(?:\d+|\d{1,3}(?:\s\d{3})+)$/;
const decimal = /^(?:\d+|\d{1,3}(?:\s\d{3})+)(?:[.,]\d+)?$/;
/** A thousand to one reader, a one to another. */
const ambiguous = /^[1-9]\d{0,2},\d{3}$/;

/** Undefined: left empty. NaN: cannot be read, or in two ways. It must not be sent: in JSON it is `null`, which stands for the default. Spaces may stand between groups of three digits. */
export function numberIn(text: string, isWhole = false): number | undefined {
  const clean = text.trim();
  if (clean === '') return undefined;
  const value = (isWhole ? whole : decimal).test(clean) && !ambiguous.test(clean) ? Number(clean.replace(/\s/g, '').replace(',', '.')) : NaN;
  return Number.isFinite(value) ? value : NaN;
}

const isWholeLimit = (name: LimitName) => name !== 'max_cost_usd';

/** Fields whose number cannot be read, as the server would name them, and the text that says what is wanted. */
export type WrongNumbers = readonly (readonly [field: string, text: 'badNumber' | 'badWhole'])[];

const wrongOf = (field: string, text: string, isWhole: boolean): WrongNumbers => Number.isNaN(numberIn(text, isWhole)) ? [[field, isWhole ? 'badWhole' : 'badNumber']] : [];

export function wrongInAgent(draft: AgentDraft): WrongNumbers {
  return wrongOf('temperature', draft.temperature, false);
}

export function wrongInTeam(draft: TeamDraft): WrongNumbers {
  return [
    ...wrongOf('max_rounds', draft.max_rounds, true), ...wrongOf('max_parallel', draft.max_parallel, true),
    ...limitNames.flatMap((name) => wrongOf(`limits.${name}`, draft.limits[name], isWholeLimit(name))),
  ];
}

export const emptyAgent: AgentDraft = { name: '', role: '', description: '', instructions: '', tier: 'standard', model: '', tools: '', planned_tools: '', capabilities: '', temperature: '', specialist: true, avatar: '', output_schema: '', cache: '' };

export function agentDraft(agent: SchemaAgentView): AgentDraft {
  return {
    name: agent.name, role: agent.role, description: agent.description, instructions: agent.instructions ?? '', tier: agent.tier, model: agent.model ?? '',
    tools: texts(agent.tools).join('\n'), planned_tools: texts(agent.planned_tools).join('\n'), capabilities: texts(agent.capabilities).join('\n'),
    temperature: agent.temperature === null || agent.temperature === undefined ? '' : String(agent.temperature), specialist: agent.specialist, avatar: agent.avatar,
    output_schema: agent.output_schema ? JSON.stringify(agent.output_schema, null, 2) : '', cache: agent.cache ?? '',
  };
}

export function agentDefinition(draft: AgentDraft): SchemaAgentDefinition {
  const schema = draft.output_schema.trim();
  return {
    name: draft.name.trim(), role: draft.role.trim(), description: draft.description.trim(), instructions: draft.instructions, tier: draft.tier,
    model: draft.tier === 'fixed' ? draft.model.trim() : null, tools: namesIn(draft.tools), planned_tools: namesIn(draft.planned_tools), capabilities: phrasesIn(draft.capabilities),
    temperature: numberIn(draft.temperature) ?? null, specialist: draft.specialist, avatar: draft.avatar.trim() || null,
    output_schema: schema === '' ? null : JSON.parse(schema) as Record<string, never>, cache: draft.cache || null,
  };
}

export function isJsonObject(text: string): boolean {
  if (text.trim() === '') return true;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

const noLimits: Record<LimitName, string> = { max_steps: '', max_children: '', max_depth: '', max_tokens: '', max_cost_usd: '', max_wall_seconds: '' };
export const emptyTeam: TeamDraft = { name: '', description: '', pattern: 'direct', entry: '', members: '', writer: '', selector: '', coordinator: '', max_rounds: '12', max_parallel: '8', edges: '', handoffs: '', delegate_patterns: '', limits: noLimits };

export function teamDraft(team: SchemaTeamView): TeamDraft {
  const given: Readonly<Record<string, unknown>> = { ...team.limits };
  const delegates: Readonly<Record<string, unknown>> = team.delegate_patterns;
  return {
    name: team.name, description: team.description, pattern: team.pattern, entry: team.entry, members: texts(team.members).join('\n'),
    writer: team.writer ?? '', selector: team.selector ?? '', coordinator: team.coordinator ?? '', max_rounds: String(team.max_rounds), max_parallel: String(team.max_parallel),
    edges: mapOut(textLists(team.edges)), handoffs: mapOut(textLists(team.handoffs)), delegate_patterns: mapOut(Object.fromEntries(Object.entries(delegates).map(([k, v]) => [k, [String(v)]]))),
    limits: Object.fromEntries(limitNames.map((name) => [name, given[name] === undefined || given[name] === null ? '' : String(given[name])])) as Record<LimitName, string>,
  };
}

export function teamDefinition(draft: TeamDraft): SchemaTeamDefinition {
  const limits = Object.fromEntries(limitNames.flatMap((name) => {
    const value = numberIn(draft.limits[name], isWholeLimit(name));
    return value === undefined ? [] : [[name, value]];
  }));
  const [rounds, parallel] = [numberIn(draft.max_rounds, true), numberIn(draft.max_parallel, true)];
  return {
    name: draft.name.trim(), description: draft.description.trim(), pattern: draft.pattern, entry: draft.entry || null, members: usesMembers(draft.pattern) ? namesIn(draft.members) : [],
    writer: usesWriter(draft.pattern) ? draft.writer || null : null, selector: usesSelector(draft.pattern) ? draft.selector || null : null, coordinator: draft.coordinator || null,
    edges: mapIn(draft.edges) ?? {}, handoffs: mapIn(draft.handoffs) ?? {},
    delegate_patterns: Object.fromEntries(Object.entries(mapIn(draft.delegate_patterns) ?? {}).map(([k, v]) => [k, v[0] ?? ''])) as Record<string, never>,
    limits, ...(rounds !== undefined && { max_rounds: rounds }), ...(parallel !== undefined && { max_parallel: parallel }),
  };
}

export function usesMembers(pattern: string): boolean {
  return pattern === 'sequential' || pattern === 'concurrent' || pattern === 'group_chat';
}

export function usesWriter(pattern: string): boolean {
  return pattern === 'concurrent' || pattern === 'plan';
}

export function usesSelector(pattern: string): boolean {
  return pattern === 'group_chat';
}
