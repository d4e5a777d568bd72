// The one way to the API. A command goes under a key of its own, so that repeating it does it once.

import { Problem, problemOf, unanswered } from './problem';

/** Longest wait for an answer, in milliseconds. A command waits 2 s for its outcome at the server. */
const ANSWER_TIMEOUT_MS = 15_000;

type Listener = () => void;
let onSignedOut: Listener = () => {};

/** Says what happens once a request is refused for want of a session. */
export function whenSignedOut(listener: Listener): void {
  onSignedOut = listener;
}

/** What a command was answered: done, with what there is now, or accepted, its outcome still to come. */
export type Outcome<T> = { done: true; now: T } | { done: false };

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const { body } = await send('GET', path, undefined, {}, signal);
  return body as T;
}

export async function command<T>(method: string, path: string, content: unknown, key: string): Promise<Outcome<T>> {
  const { status, body } = await send(method, path, content, { 'Idempotency-Key': key });
  return status === 202 ? { done: false } : { done: true, now: body as T };
}

/** A name for a command. (`randomUUID` is there on https only.) */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function send(
  method: string,
  path: string,
  content: unknown,
  extra: Record<string, string>,
  signal?: AbortSignal,
): Promise<{ status: number; body: unknown }> {
  const headers: Record<string, string> = { Accept: 'application/json', ...extra };
  const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-cache' };
  if (method !== 'GET') {
    // A foreign page cannot send this header: what carries it comes from here.
    headers['X-Tocsin-Client'] = 'dashboard';
    headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(content ?? {});
  }
  const aborting = new AbortController();
  const timer = setTimeout(() => aborting.abort(), ANSWER_TIMEOUT_MS);
  const abort = () => aborting.abort();
  signal?.addEventListener('abort', abort);
  try {
    const response = await fetch(path, { ...init, signal: aborting.signal });
    const text = await response.text();
    const body = parse(text);
    if (response.ok) return { status: response.status, body };
    if (response.status === 401 && path !== '/api/v1/session') onSignedOut();
    throw problemOf(response.status, body, response.headers.get('x-request-id'));
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw unanswered();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
