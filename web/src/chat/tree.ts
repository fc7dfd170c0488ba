/** A conversation is a tree: editing a message or asking again makes a branch beside the old one. */
export interface TreeNode {
  id: string;
  parent_id?: string | null;
  created_at: string;
  /** queued: it waits behind its branch, and has no place in the tree yet; cancelled: it was stopped while it waited, and never got one. */
  status?: string;
}

export interface Branching {
  /** Of the message and its siblings, in the order in which they were made. */
  siblings: readonly string[];
  index: number;
}

export class MessageTree<T extends TreeNode> {
  readonly #byId = new Map<string, T>();
  readonly #children = new Map<string, T[]>();

  constructor(messages: readonly T[]) {
    for (const message of messages) this.#byId.set(message.id, message);
    const sorted = [...this.#byId.values()].sort((a, b) => a.created_at.localeCompare(b.created_at) || a.id.localeCompare(b.id));
    for (const message of sorted) {
      if (!isPlaced(message)) continue;
      const parent = this.#parentOf(message);
      const list = this.#children.get(parent);
      if (list) list.push(message);
      else this.#children.set(parent, [message]);
    }
  }

  get(id: string): T | undefined {
    return this.#byId.get(id);
  }

  /** From the root to the leaf. A leaf that is not known: the newest one. */
  path(leaf: string | null | undefined): T[] {
    const path: T[] = [];
    const seen = new Set<string>();
    const known = leaf ? this.#byId.get(leaf) : undefined;
    let at = known && isPlaced(known) ? known : this.get(this.newest('') ?? '');
    while (at && !seen.has(at.id)) {
      seen.add(at.id);
      path.push(at);
      at = at.parent_id ? this.#byId.get(at.parent_id) : undefined;
    }
    return path.reverse();
  }

  branching(message: T): Branching {
    const siblings = (this.#children.get(this.#parentOf(message)) ?? []).map((m) => m.id);
    return { siblings, index: siblings.indexOf(message.id) };
  }

  /** The leaf that one comes to from a message by always taking the newest branch; from '' for the whole tree. */
  newest(from: string): string | undefined {
    let at = from;
    for (;;) {
      const last = this.#children.get(at)?.at(-1);
      if (!last) return at || undefined;
      at = last.id;
    }
  }

  #parentOf(message: T): string {
    return message.parent_id && this.#byId.has(message.parent_id) ? message.parent_id : '';
  }
}

export function isPlaced({ status }: Pick<TreeNode, 'status'>): boolean {
  return status !== 'queued' && status !== 'cancelled';
}
