// Decisions in words.

import type { Decision } from '../api/types';

const OUTCOMES: Record<string, string> = {
  opened: 'It opened the incident',
  joined: 'It joined the incident, which was open',
  fired_again: 'It fires again in the incident that it belongs to',
  reopened: 'It opened the incident again',
  suppressed: 'It fires, and something keeps it quiet',
  resolved: 'It stopped firing',
  timed_out: 'Nobody told of it for too long, so it counts as resolved',
  ended: 'A responder closed its incident',
  severity_changed: 'It goes on, better or worse',
  sign_of_life: 'It goes on as it was',
  stale: 'It was older than what is known, and changed nothing',
  repeated: 'It was delivered before, and changed nothing',
  acknowledged: 'Somebody took it on',
  commanded: 'A responder changed the incident',
  reminded: 'Nobody had taken the incident for a while',
  stable: 'It no longer comes and goes',
};

export const outcome = (decision: Decision): string => OUTCOMES[decision.outcome] ?? decision.outcome.replaceAll('_', ' ');

/** What keeps an alert quiet: what kind of thing, and where to look at it. */
export function suppression(by: string): { text: string; address: string | null } {
  const [kind, id = ''] = by.split(/:(.*)/s);
  if (kind === 'silence') return { text: 'a silence', address: `/silences?id=${encodeURIComponent(id)}` };
  if (kind === 'inhibition') return { text: 'another alert, which inhibits it', address: `/alerts/${encodeURIComponent(id)}` };
  return { text: by, address: null };
}

/** A group key `ROUTE:{LABELS}` in its two parts. */
export function groupParts(key: string): { route: string; labels: string } {
  const at = key.lastIndexOf(':{');
  return at < 0 ? { route: key, labels: '' } : { route: key.slice(0, at), labels: key.slice(at + 1) };
}

/** The decision that tells most about why something exists: the newest that opened, else the newest with a route. */
export function decisive(decisions: readonly Decision[]): Decision | null {
  const made = ['opened', 'reopened', 'suppressed', 'joined', 'fired_again'];
  return decisions.find(({ outcome: it }) => made.includes(it)) ?? decisions.find(({ routes }) => routes?.length) ?? null;
}
