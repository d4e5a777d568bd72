// The live connection: one stream of events for the whole app. It resumes after the last event that was seen; if the server
// cannot, it says `reset`, and everything is loaded anew.

import { signal } from '@preact/signals';
import type { Incident } from '../api/types';
import { backoffMs } from './backoff';
import { EventStreamParser, type StreamEvent } from './event-stream';

/** A server beats every 15 s. Without a sign of life for so long, the connection counts as lost. */
const SILENCE_TIMEOUT_MS = 45_000;
const WATCH_EVERY_MS = 5_000;
/**
 * A page that nobody looks at for so long lets go of its connection: over HTTP/1.1 a browser has six of them for all
 * its tabs together. It resumes where it was once it is looked at.
 */
const HIDDEN_TIMEOUT_MS = 30_000;

export type LiveState = 'off' | 'connecting' | 'live' | 'lost' | 'paused';

export const liveState = signal<LiveState>('off');
/** When the server was last heard, as milliseconds since the epoch; 0 before. */
export const lastHeard = signal(0);
/** Grows whenever everything that is shown must be loaded anew. */
export const epoch = signal(0);

interface Events {
  incident: Incident;
  silence: { id: string };
  dead_letter: object;
}
type Listeners = { [K in keyof Events]: Set<(data: Events[K]) => void> };
const listeners: Listeners = { incident: new Set(), silence: new Set(), dead_letter: new Set() };

/** Calls back with each event of a kind; returns how to end that. */
export function on<K extends keyof Events>(kind: K, listener: (data: Events[K]) => void): () => void {
  listeners[kind].add(listener);
  return () => void listeners[kind].delete(listener);
}

/** Tells this app itself what an answer to a command has shown, before the stream does. */
export function tell<K extends keyof Events>(kind: K, data: Events[K]): void {
  for (const listener of [...listeners[kind]]) listener(data);
}

let running: AbortController | null = null;
let mayPause = (): boolean => false;

/** Says which pages may let go while they are hidden. */
export function pauseWhen(condition: () => boolean): void {
  mayPause = condition;
}

export function startLive(onSignedOut: () => void): void {
  if (running) return;
  const stop = new AbortController();
  running = stop;
  void keepConnected(stop.signal, onSignedOut);
}

export function stopLive(): void {
  running?.abort();
  running = null;
  liveState.value = 'off';
}

const isLive = (): boolean => liveState.value === 'live';

async function keepConnected(stop: AbortSignal, onSignedOut: () => void): Promise<void> {
  let lastId = '';
  let failures = 0;
  liveState.value = 'connecting';
  while (!stop.aborted) {
    await untilSeen(stop);
    const outcome = await listen(stop, lastId, (id) => (lastId = id)).catch(() => 'failed' as const);
    if (stop.aborted) return;
    if (outcome === 'unauthorized') return onSignedOut();
    // What was live begins to count anew; what never was waits longer each time.
    failures = isLive() ? 0 : failures + 1;
    liveState.value = isForgotten() ? 'paused' : 'lost';
    if (isForgotten()) continue;
    await pause(backoffMs(failures), stop);
  }
}

async function listen(stop: AbortSignal, lastId: string, seen: (id: string) => void): Promise<'ended' | 'unauthorized'> {
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  stop.addEventListener('abort', abort);
  let heard = Date.now();
  const watch = setInterval(() => (Date.now() - heard > SILENCE_TIMEOUT_MS || isForgotten()) && attempt.abort(), WATCH_EVERY_MS);
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (lastId) headers['Last-Event-ID'] = lastId;
    const response = await fetch('/api/v1/events', { headers, signal: attempt.signal, cache: 'no-store' });
    if (response.status === 401) return 'unauthorized';
    if (!response.ok || !response.body) throw new Error(`the stream was answered ${response.status}`);

    // Without an id there is nothing to resume after: what happened since the page was loaded has to be loaded.
    if (!lastId) epoch.value += 1;
    liveState.value = 'live';
    lastHeard.value = heard = Date.now();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventStreamParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return 'ended';
      lastHeard.value = heard = Date.now();
      for (const event of parser.push(value)) {
        if (event.id) seen(event.id);
        take(event);
      }
    }
  } finally {
    clearInterval(watch);
    stop.removeEventListener('abort', abort);
    attempt.abort();
  }
}

function take({ type, data }: StreamEvent): void {
  if (type === 'reset') {
    epoch.value += 1;
    return;
  }
  if (!(type in listeners)) return;
  let content: unknown;
  try {
    content = JSON.parse(data);
  } catch {
    // An event that cannot be read is one that was missed.
    epoch.value += 1;
    return;
  }
  tell(type as 'incident', content as Incident);
}

let hiddenSince = 0;
if (typeof document !== 'undefined') {
  document.addEventListener('visibilitychange', () => (hiddenSince = document.hidden ? Date.now() : 0));
}

/** Whether nobody has looked at this page for a while, and it may let go. */
const isForgotten = (): boolean => hiddenSince > 0 && Date.now() - hiddenSince > HIDDEN_TIMEOUT_MS && mayPause();

/** Waits as long as nobody looks. */
async function untilSeen(stop: AbortSignal): Promise<void> {
  while (isForgotten() && !stop.aborted) {
    liveState.value = 'paused';
    await pause(WATCH_EVERY_MS, stop);
  }
}

/** Waits, but no longer than until the network is back or the page is looked at again. */
function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener('online', end);
      document.removeEventListener('visibilitychange', end);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    window.addEventListener('online', end);
    document.addEventListener('visibilitychange', end);
    stop.addEventListener('abort', end);
  });
}
