// The order of the board, and what a change does to it.

import type { Incident } from '../../api/types';
import { type BoardFilter, matches, SEVERITIES } from './filter';

/** The worst first, then the newest. What is over goes by time alone. */
export function compare(a: Incident, b: Incident): number {
  const rank = (incident: Incident) => SEVERITIES.indexOf(incident.severity);
  const over = (incident: Incident) => incident.status === 'resolved' || incident.status === 'canceled';
  if (!over(a) && !over(b) && rank(a) !== rank(b)) return rank(a) - rank(b);
  return b.incident_number - a.incident_number;
}

/** A list with those of another one, each once and as of its newest version. */
export function merge(known: readonly Incident[], more: readonly Incident[]): Incident[] {
  const byId = new Map(known.map((incident) => [incident.id, incident]));
  for (const incident of more) {
    const old = byId.get(incident.id);
    if (!old || old.version <= incident.version) byId.set(incident.id, incident);
  }
  return [...byId.values()].sort(compare);
}

/** Most rows that the board grows to by itself: in a storm the worst stay, and the others are a filter away. */
export const MAX_LIVE_ROWS = 1_000;

/** The board after an incident has changed. News that is older than what is known changes nothing. */
export function withChange<B extends { incidents: readonly Incident[]; total: number }>(board: B, changed: Incident, filter: BoardFilter): B {
  const known = board.incidents;
  const old = known.find((incident) => incident.id === changed.id);
  if (old && old.version > changed.version) return board;
  if (!matches(filter, changed)) {
    return old ? { ...board, incidents: known.filter((incident) => incident !== old), total: board.total - 1 } : board;
  }
  const most = Math.max(known.length, MAX_LIVE_ROWS);
  return { ...board, incidents: merge(known, [changed]).slice(0, most), total: board.total + (old ? 0 : 1) };
}
