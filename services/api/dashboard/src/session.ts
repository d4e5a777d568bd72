// Who is signed in, and what that allows.

import { signal } from '@preact/signals';
import { session as readSession, signOut } from './api/calls';
import { newKey, whenSignedOut } from './api/client';
import { Problem } from './api/problem';
import type { Session } from './api/types';
import { startLive, stopLive } from './live/connection';
import { here, navigate, safeNext } from './router';

/** `undefined` while it is not known yet. */
export const session = signal<Session | null | undefined>(undefined);
/** Why it is not known. */
export const sessionProblem = signal<Problem | null>(null);

export const may = (scope: 'respond' | 'admin'): boolean => {
  const scopes = session.value?.scopes ?? [];
  return scopes.includes(scope) || scopes.includes('admin');
};

/** Asks who is signed in. */
export async function beginSession(): Promise<void> {
  whenSignedOut(signedOut);
  try {
    sessionProblem.value = null;
    begin(await readSession());
  } catch (error) {
    if (error instanceof Problem && error.status === 401) signedOut();
    else sessionProblem.value = error as Problem;
  }
}

/** Goes on as somebody. */
export function begin(as: Session): void {
  session.value = as;
  startLive(signedOut);
  if (here.value.path === '/sign-in') navigate(safeNext(here.value.query.get('next')), { replace: true });
}

/** There is no session any more: signs in, and comes back to where one was. */
export function signedOut(): void {
  session.value = null;
  stopLive();
  const { path, query } = here.value;
  if (path === '/sign-in') return;
  const text = query.toString();
  const back = path + (text && `?${text}`);
  navigate(back === '/' ? '/sign-in' : `/sign-in?next=${encodeURIComponent(back)}`, { replace: true });
}

export async function endSession(): Promise<void> {
  await signOut(newKey());
  session.value = null;
  stopLive();
  navigate('/sign-in');
}
