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

/** The list after an incident has changed. News that is older than what is known changes nothing. */
export function withChange(known: readonly Incident[], changed: Incident, filter: BoardFilter): readonly Incident[] {
  const old = known.find((incident) => incident.id === changed.id);
  if (old && old.version > changed.version) return known;
  if (matches(filter, changed)) return merge(known, [changed]);
  return old ? known.filter((incident) => incident.id !== changed.id) : known;
}
