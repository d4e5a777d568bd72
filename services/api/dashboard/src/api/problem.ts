// What went wrong with a request, in words for whoever has to act on it.

/** A refusal (RFC 9457), or no answer at all. */
export class Problem extends Error {
  constructor(
    /** 0 if there was no answer. */
    readonly status: number,
    /** Stable; what it means stands in docs/errors.md. */
    readonly code: string,
    readonly detail: string,
    readonly requestId: string | null,
  ) {
    super(detail);
  }

  /** Whether the same request may succeed later. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Reads the problem of an answer; one that is no problem document has a general one. */
export function problemOf(status: number, body: unknown, requestId: string | null): Problem {
  const fields: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {};
  const text = (name: string): string | null => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const detail = text('detail') ?? text('title') ?? `The server answered ${status}.`;
  return new Problem(status, text('code') ?? 'unknown', detail, text('request_id') ?? requestId);
}

/** The problem of a request that nobody answered. */
export function unanswered(): Problem {
  return new Problem(0, 'no_answer', 'Tocsin did not answer. It may be restarting, or the network is away.', null);
}

/** What to do about it. */
export function remedy(problem: Problem): string {
  switch (problem.code) {
    case 'no_answer':
      return 'Check the network; then try again.';
    case 'insufficient_scope':
      return 'Your token does not allow this. Sign in with one that does, or ask an operator.';
    case 'invalid_transition':
      return 'The incident has changed meanwhile. Look at it again, then decide.';
    case 'not_found':
      return 'It may have been deleted or forgotten by retention.';
    case 'rate_limited':
      return 'Wait a moment, then try again.';
    case 'redis_unavailable':
      return 'Actions wait for Redis. Trying again is safe: the action is done once.';
    case 'database_unavailable':
      return 'Postgres does not answer. What is shown may be old; try again.';
    default:
      if (problem.passes) return 'Try again; if it stays, tell an operator the request id.';
      return 'Correct it and try again.';
  }
}
