// The alerts of an incident, those that fire first.

import { useState } from 'preact/hooks';
import type { Alert } from '../../api/types';
import { SeverityBadge, StatusBadge } from '../../ui/Badge';
import { Labels } from '../../ui/Labels';
import { Since } from '../../ui/Time';

const FIRST = 10;

export function AlertsOf({ alerts, total }: { alerts: readonly Alert[]; total: number }) {
  const [all, setAll] = useState(false);
  const sorted = [...alerts].sort((a, b) => Number(b.status === 'firing') - Number(a.status === 'firing'));
  const shown = all ? sorted : sorted.slice(0, FIRST);
  return (
    <section class="panel" aria-label="Alerts">
      <h2>
        Alerts <span class="muted">{total}</span>
      </h2>
      {alerts.length === 0 && <p class="muted">No alert tells of it: somebody declared it by hand.</p>}
      <ul class="items" role="list">
        {shown.map((alert) => (
          <li key={alert.id} class="item">
            <p class="item-head">
              <a href={`/alerts/${alert.id}`}>{alert.title}</a>
              <span class="item-badges">
                <SeverityBadge severity={alert.severity} />
                <StatusBadge status={alert.status} />
                <span class="muted">
                  <Since at={alert.started_at} until={alert.ended_at} />
                </span>
              </span>
            </p>
            <Labels labels={alert.labels} to="/alerts" />
          </li>
        ))}
      </ul>
      {!all && sorted.length > FIRST && (
        <button type="button" class="button" onClick={() => setAll(true)}>
          Show all {sorted.length}
        </button>
      )}
      {total > alerts.length && <p class="muted">These are the newest {alerts.length} of {total}.</p>}
    </section>
  );
}
