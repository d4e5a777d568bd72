// The head of an incident: what one reads first.

import type { Incident } from '../../api/types';
import { SeverityBadge, StatusBadge } from '../../ui/Badge';
import { Ago, Since } from '../../ui/Time';

export function Head({ incident, waits }: { incident: Incident; waits: boolean }) {
  const { incident_number: number, title, summary, severity, status } = incident;
  return (
    <header class={`incident-head incident-head-${severity}`}>
      <p class="incident-line">
        <SeverityBadge severity={severity} />
        <StatusBadge status={status} />
        {waits && (
          <span class="status tone-busy" role="status">
            sent, waiting
          </span>
        )}
      </p>
      <h1 tabIndex={-1}>
        <span class="row-number">#{number}</span> {title}
      </h1>
      {summary && <p class="incident-summary">{summary}</p>}
      <dl class="facts">
        <div>
          <dt>{incident.resolved_at ? 'Lasted' : 'Open for'}</dt>
          <dd>
            <Since at={incident.triggered_at} until={incident.resolved_at} />
          </dd>
        </div>
        <div>
          <dt>Firing</dt>
          <dd>
            {incident.firing_count} <span class="muted">of {incident.alert_count}</span>
          </dd>
        </div>
        {incident.acknowledged_at && (
          <div>
            <dt>Acknowledged</dt>
            <dd>
              {incident.acknowledged_by ?? 'by somebody'} <span class="muted"><Ago at={incident.acknowledged_at} /></span>
            </dd>
          </div>
        )}
        {incident.resolved_at && (
          <div>
            <dt>Over</dt>
            <dd>
              <Ago at={incident.resolved_at} />
            </dd>
          </div>
        )}
        <div>
          <dt>Changed</dt>
          <dd>
            <Ago at={incident.updated_at} />
          </dd>
        </div>
      </dl>
    </header>
  );
}
