// What is shown where there is nothing, not yet anything, or something went wrong.

import type { ComponentChildren } from 'preact';
import { type Problem, remedy } from '../api/problem';
import { Icon, type Shape } from './Icon';

export function Loading({ what }: { what: string }) {
  return (
    <div class="loading" role="status">
      <span class="visually-hidden">Loading {what}…</span>
      <span class="bone" />
      <span class="bone" />
      <span class="bone" />
    </div>
  );
}

export function Empty({ shape, title, children }: { shape: Shape; title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon shape={shape} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** What happened, and what to do; `retries` if it is tried again by itself. */
export function ProblemNote({ problem, what, again, retries }: { problem: Problem; what: string; again?: () => void; retries?: boolean }) {
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{what}</strong> {problem.detail}
      </p>
      <p>
        {remedy(problem)}
        {retries && ' It is tried again by itself.'}
        {problem.requestId && (
          <>
            {' '}
            Request id: <code>{problem.requestId}</code>
          </>
        )}
      </p>
      {again && (
        <button type="button" class="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function More({ more, loading, shown, total }: { more: (() => void) | null; loading: boolean; shown: number; total: string }) {
  if (!more) return null;
  return (
    <div class="more">
      <button type="button" class="button" onClick={more} disabled={loading}>
        {loading ? 'Loading…' : 'Load more'}
      </button>
      <span class="muted">
        {shown} of {total}
      </span>
    </div>
  );
}
