// How many there are. A number is a filter, too.

import { amount, type Incident } from '../../api/types';
import { setQuery } from '../../router';
import { type BoardFilter, SEVERITIES } from './filter';
import type { Board } from './load';
import { SeverityBadge } from '../../ui/Badge';

export function Counts({ incidents, board, filter }: { incidents: readonly Incident[]; board: Board; filter: BoardFilter }) {
  const word = filter.status === 'open' ? 'open' : filter.status;
  const unseen = incidents.filter(({ status }) => status === 'triggered').length;
  return (
    <div class="counts">
      <p>
        <strong>{amount(board)}</strong> {word}
        {filter.status === 'open' && board.total > 0 && <span class="muted">, {unseen} not acknowledged</span>}
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
