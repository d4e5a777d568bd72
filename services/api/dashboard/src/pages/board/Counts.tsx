// How many there are. A number is a filter, too.

import type { Incident } from '../../api/types';
import { setQuery } from '../../router';
import { type BoardFilter, SEVERITIES } from './filter';
import { SeverityBadge } from '../../ui/Badge';

export function Counts({ incidents, total, filter }: { incidents: readonly Incident[]; total: number; filter: BoardFilter }) {
  const word = filter.status === 'open' ? 'open' : filter.status;
  const unseen = incidents.filter(({ status }) => status === 'triggered').length;
  return (
    <div class="counts">
      <p>
        <strong>{total}</strong> {word}
        {filter.status === 'open' && total > 0 && <span class="muted">, {unseen} not acknowledged</span>}
      </p>
      <ul role="list">
        {SEVERITIES.map((severity) => {
          const count = incidents.filter((incident) => incident.severity === severity).length;
          const chosen = filter.severity === severity;
          if (count === 0 && !chosen) return null;
          return (
            <li key={severity}>
              <button type="button" class="count" aria-pressed={chosen} onClick={() => setQuery({ severity: chosen ? null : severity })}>
                <strong>{count}</strong> <SeverityBadge severity={severity} />
              </button>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
