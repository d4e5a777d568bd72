// One incident: what it is, what was done, who was told, and why it exists.

import { useEffect } from 'preact/hooks';
import { acknowledge, reopen, waiting } from '../../actions/act';
import { show } from '../../actions/dialogs';
import { incident as load, incidentNotifications } from '../../api/calls';
import type { Incident, IncidentDetail } from '../../api/types';
import { useKeys } from '../../keyboard';
import { linksOf } from '../../links';
import { on } from '../../live/connection';
import { useDebounced, useResource } from '../../resource';
import { may } from '../../session';
import { useTitle } from '../../title';
import { Labels } from '../../ui/Labels';
import { Loading, ProblemNote } from '../../ui/States';
import { Actions } from './Actions';
import { AlertsOf } from './AlertsOf';
import { Head } from './Head';
import { Notifications } from './Notifications';
import { OutsideLinks } from './OutsideLinks';
import { Timeline } from './Timeline';
import { Why } from '../../ui/Why';

/** An incident that changes often is loaded anew at most so often, in milliseconds. */
const SETTLE_MS = 150;

export function IncidentPage({ id }: { id: string }) {
  const incident = useResource<IncidentDetail>(id, (signal) => load(id, signal));
  const notifications = useResource(id, (signal) => incidentNotifications(id, signal));
  const reload = useDebounced(() => {
    incident.reload();
    notifications.reload();
  }, SETTLE_MS);
  const data = incident.data;
  useTitle(data ? `#${data.incident_number} ${data.title}` : `Incident ${id}`);

  useEffect(
    () =>
      on('incident', (changed) => {
        if (changed.id !== id && String(changed.incident_number) !== id) return;
        incident.set((old) => (old.version <= changed.version ? { ...old, ...changed } : old));
        reload();
      }),
    [id],
  );

  const act = (action: (incident: Incident) => void) => () => data && may('respond') && action(data);
  useKeys({
    a: act((it) => it.status === 'triggered' && acknowledge(it)),
    r: act((it) => isOpen(it) && show({ kind: 'resolve', incident: it })),
    o: act((it) => it.status !== 'triggered' && reopen(it)),
    n: act((it) => show({ kind: 'note', incident: it })),
    s: act((it) => show({ kind: 'silence', labels: it.labels, about: it.title })),
  });

  if (!data) {
    return incident.problem ? (
      <ProblemNote problem={incident.problem} what="The incident cannot be loaded." again={incident.reload} retries={incident.retries} />
    ) : (
      <Loading what="the incident" />
    );
  }
  const links = linksOf(data.alerts);
  return (
    <article class="incident">
      <Head incident={data} waits={waiting.value.has(data.id)} />
      {incident.problem && <ProblemNote problem={incident.problem} what="What is shown may be old." again={incident.reload} retries={incident.retries} />}
      <Actions incident={data} />
      <Labels labels={data.labels} to="/" />
      {links.length > 0 && <OutsideLinks links={links} />}
      <div class="columns">
        <div class="column">
          <Timeline entries={data.timeline} />
          <Why of="incidents" id={data.id} revision={data.version} />
        </div>
        <div class="column">
          <AlertsOf alerts={data.alerts} total={data.alert_count} />
          <Notifications list={notifications} />
        </div>
      </div>
    </article>
  );
}

export const isOpen = (incident: Incident): boolean => incident.status === 'triggered' || incident.status === 'acknowledged';
