/** An answer that is no success, as RFC 9457 describes it; also what stands for a server that does not answer. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly traceId: string | undefined;
  /** Messages by field, for 400 and 422. */
  readonly errors: Readonly<Record<string, readonly string[]>>;
  /** Seconds after which trying again makes sense. */
  readonly retryAfter: number | undefined;
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Record<string, unknown>, retryAfter?: number) {
    super(text(body['detail']) ?? text(body['title']) ?? `HTTP ${status}`);
    this.name = 'Problem';
    this.status = status;
    this.code = text(body['code']) ?? (status === 0 ? 'unreachable' : `http_${status}`);
    this.traceId = text(body['trace_id']);
    this.errors = isErrors(body['errors']) ? body['errors'] : {};
    this.retryAfter = retryAfter;
    this.extra = body;
  }

  /** The server did not answer at all. */
  static unreachable(cause: unknown): Problem {
    return new Problem(0, { code: 'unreachable', title: cause instanceof Error ? cause.message : String(cause) });
  }

  /** No answer of the server at all: the page itself went wrong. */
  static unexpected(cause: unknown): Problem {
    return new Problem(0, { code: 'unexpected', title: cause instanceof Error ? cause.message : String(cause) });
  }

  static async of(response: Response): Promise<Problem> {
    const after = Number(response.headers.get('retry-after'));
    const body: unknown = await response.json().catch(() => null);
    return new Problem(response.status, isObject(body) ? body : {}, Number.isFinite(after) && after > 0 ? after : undefined);
  }

  get isUnreachable(): boolean {
    return (this.status === 0 && !this.isUnexpected) || this.status === 502 || this.status === 503 || this.status === 504;
  }

  /** Unreachable, and nothing else is known: a server that says of itself why it cannot (503 with a detail) is believed. */
  get isSilent(): boolean {
    return this.isUnreachable && (this.status === 0 || text(this.extra['detail']) === undefined);
  }

  get isUnexpected(): boolean {
    return this.status === 0 && this.code === 'unexpected';
  }
}

/** What was thrown, as something to show; what no call threw is a mistake of the page. */
export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : Problem.unexpected(error);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isErrors(value: unknown): value is Record<string, string[]> {
  return isObject(value) && Object.values(value).every((list) => Array.isArray(list));
}
