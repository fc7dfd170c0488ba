import type { SchemaTeamView } from '../../api/schema';

/** The routing graph of a team, and where its agents stand in the picture. Pure: hostile or broken teams (rings, names that nobody has) draw something and hang nothing. */
export type EdgeKind = 'delegation' | 'handoff' | 'flow';

export interface Edge {
  from: string;
  to: string;
  kind: EdgeKind;
}

export interface TeamShape {
  pattern: string;
  entry: string;
  members: readonly string[];
  writer: string | null;
  selector: string | null;
  edges: Readonly<Record<string, readonly string[]>>;
  handoffs: Readonly<Record<string, readonly string[]>>;
  agents: readonly string[];
}

export interface Place {
  name: string;
  x: number;
  y: number;
}

export interface Layout {
  places: readonly Place[];
  width: number;
  height: number;
}

export const node = { width: 168, height: 52, gapX: 72, gapY: 20 } as const;

/** Every way that work may take: delegation and handoffs as the team allows them ('*' is every specialist), and the order that its pattern gives. */
export function edgesOf(team: TeamShape, specialists: readonly string[]): Edge[] {
  const known = new Set(team.agents);
  const found = new Map<string, Edge>();
  const add = (from: string, to: string, kind: EdgeKind) => {
    if (from !== to && known.has(from) && known.has(to)) found.set(JSON.stringify([from, to, kind]), { from, to, kind });
  };
  for (const [from, targets] of Object.entries(team.edges)) {
    for (const to of targets) {
      if (to === '*') specialists.forEach((s) => { add(from, s, 'delegation'); });
      else add(from, to, 'delegation');
    }
  }
  for (const [from, targets] of Object.entries(team.handoffs)) targets.forEach((to) => { add(from, to, 'handoff'); });
  flowOf(team).forEach(([from, to]) => { add(from, to, 'flow'); });
  return [...found.values()];
}

function flowOf({ pattern, members, writer, selector, entry }: TeamShape): [string, string][] {
  switch (pattern) {
    case 'sequential': return members.slice(1).map((to, i) => [members[i] ?? to, to]);
    case 'concurrent': return writer === null ? [] : members.map((m) => [m, writer]);
    case 'group_chat': return selector === null ? ring(members) : members.map((m) => [selector, m]);
    case 'plan': return writer === null ? [] : [[entry, writer]];
    default: return [];
  }
}

function ring(members: readonly string[]): [string, string][] {
  return members.map((m, i) => [m, members[(i + 1) % members.length] ?? m]);
}

/** Group chats sit around a table; everybody else stands to the right of whom they get their work from. */
export function layoutOf(team: TeamShape, edges: readonly Edge[]): Layout {
  return team.pattern === 'group_chat' ? circle(team.agents, team.selector) : layers(team, edges);
}

/** Steps from those who begin; a long layer is broken into columns, those who pass work on first. */
function layers(team: TeamShape, edges: readonly Edge[]): Layout {
  const next = new Map<string, string[]>();
  for (const e of edges) next.set(e.from, [...(next.get(e.from) ?? []), e.to]);
  const level = new Map<string, number>();
  let wave = team.pattern === 'concurrent' ? team.members.filter((m) => team.agents.includes(m)) : team.agents.filter((a) => a === team.entry);
  for (let depth = 0; wave.length > 0; depth++) {
    wave.forEach((name) => level.set(name, depth));
    wave = [...new Set(wave.flatMap((name) => next.get(name) ?? []))].filter((name) => !level.has(name));
  }
  const last = Math.max(-1, ...level.values()) + 1; // nobody sends them anything
  const rows = Math.max(4, Math.ceil(Math.sqrt(team.agents.length)) + 1);
  const columns: string[][] = [];
  for (let depth = 0; depth <= last; depth++) {
    const here = team.agents.filter((a) => (level.get(a) ?? last) === depth).map((name, at) => ({ name, at, out: next.get(name)?.length ?? 0 }));
    here.sort((a, b) => b.out - a.out || a.at - b.at);
    const parts = Math.ceil(here.length / rows);
    const size = Math.ceil(here.length / Math.max(1, parts));
    for (let part = 0; part < parts; part++) columns.push(here.slice(part * size, (part + 1) * size).map((h) => h.name));
  }
  const height = Math.max(0, ...columns.map((c) => heightOf(c.length)));
  const places = columns.flatMap((column, c) => column.map((name, r) => ({ name, x: c * (node.width + node.gapX), y: (height - heightOf(column.length)) / 2 + r * (node.height + node.gapY) })));
  return { places, width: Math.max(0, columns.length * (node.width + node.gapX) - node.gapX), height };
}

function heightOf(count: number): number {
  return Math.max(0, count * (node.height + node.gapY) - node.gapY);
}

/** As small as it can be without two boxes touching. */
function circle(agents: readonly string[], centre: string | null): Layout {
  const around = agents.filter((a) => a !== centre);
  const hasCentre = around.length < agents.length;
  for (let scale = 1; ; scale *= 1.12) {
    const [across, down] = [node.width * 0.7 * scale, node.height * 0.9 * scale];
    const places = around.map((name, i) => {
      const angle = (i / around.length) * 2 * Math.PI - Math.PI / 2;
      return { name, x: across + across * Math.cos(angle), y: down + down * Math.sin(angle) };
    });
    if (hasCentre && centre !== null) places.push({ name: centre, x: across, y: down });
    if (places.every((p, i) => places.slice(i + 1).every((q) => apart(p, q)))) return { places, width: 2 * across + node.width, height: 2 * down + node.height };
  }
}

function apart(p: Place, q: Place): boolean {
  return Math.abs(p.x - q.x) >= node.width + node.gapX / 4 || Math.abs(p.y - q.y) >= node.height + node.gapY;
}

/** A line from the side of one box to the side of the other: forward, back, or around within a column. */
export function pathOf(from: Place, to: Place): string {
  const [y1, y2] = [from.y + node.height / 2, to.y + node.height / 2];
  if (Math.abs(from.x - to.x) < node.width) {
    if (Math.abs(from.x - to.x) > 1) return vertical(from, to);
    const side = from.x + node.width;
    const out = side + node.gapX * 0.6;
    return `M${n(side)} ${n(y1)} C${n(out)} ${n(y1)} ${n(out)} ${n(y2)} ${n(side)} ${n(y2)}`;
  }
  const forward = to.x > from.x;
  const [x1, x2] = forward ? [from.x + node.width, to.x] : [from.x, to.x + node.width];
  const bend = (forward ? 1 : -1) * Math.max(node.gapX / 2, Math.abs(x2 - x1) / 2);
  return `M${n(x1)} ${n(y1)} C${n(x1 + bend)} ${n(y1)} ${n(x2 - bend)} ${n(y2)} ${n(x2)} ${n(y2)}`;
}

function vertical(from: Place, to: Place): string {
  const down = to.y > from.y;
  const [y1, y2] = down ? [from.y + node.height, to.y] : [from.y, to.y + node.height];
  const [x1, x2, middle] = [from.x + node.width / 2, to.x + node.width / 2, (y1 + y2) / 2];
  return `M${n(x1)} ${n(y1)} C${n(x1)} ${n(middle)} ${n(x2)} ${n(middle)} ${n(x2)} ${n(y2)}`;
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** What the API gives without a type: only texts count. */
export function texts(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((t): t is string => typeof t === 'string') : [];
}

export function textLists(map: unknown): Record<string, string[]> {
  return typeof map === 'object' && map !== null ? Object.fromEntries(Object.entries(map).map(([key, list]) => [key, texts(list)])) : {};
}

export function shapeOf(team: SchemaTeamView): TeamShape {
  return {
    pattern: team.pattern, entry: team.entry, members: texts(team.members), writer: team.writer ?? null, selector: team.selector ?? null,
    edges: textLists(team.edges), handoffs: textLists(team.handoffs), agents: [...new Set(texts(team.agents))],
  };
}
