// One incident on the board: one link, with all that is needed to decide whether to open it.

import { memo } from '../../memo';
import type { Incident } from '../../api/types';
import { StatusBadge, SeverityBadge } from '../../ui/Badge';
import { Ago, Since } from '../../ui/Time';

interface Props {
  incident: Incident;
  fresh: boolean;
  waits: boolean;
}

export const Row = memo(function Row({ incident, fresh, waits }: Props) {
  const { incident_number: number, severity, status, title, labels } = incident;
  const shown = Object.entries(labels).slice(0, 5);
  return (
    <li class={`row row-${severity} row-is-${status}${fresh ? ' row-fresh' : ''}`}>
      <a class="row-link" href={`/incidents/${number}`} data-incident={incident.id}>
        <SeverityBadge severity={severity} />
        <span class="row-main">
          <span class="row-title">
            <span class="row-number">#{number}</span> {title}
          </span>
          {shown.length > 0 && (
            <span class="row-labels">
              {shown.map(([name, value]) => (
                <span key={name} class="row-label">
                  <span class="label-name">{name}</span> {value}
                </span>
              ))}
            </span>
          )}
        </span>
        <span class="row-state">
          <StatusBadge status={status} />
          <span class="row-who muted">{waits ? 'sent, waiting' : status === 'acknowledged' && incident.acknowledged_by ? `by ${incident.acknowledged_by}` : ''}</span>
        </span>
        <span class="row-firing" title="alerts that fire, of all">
          <strong>{incident.firing_count}</strong>
          <span class="muted">/{incident.alert_count}</span>
          <span class="row-unit"> firing</span>
        </span>
        <span class="row-age">
          {incident.resolved_at ? <Ago at={incident.resolved_at} /> : <Since at={incident.triggered_at} />}
        </span>
      </a>
    </li>
  );
});
