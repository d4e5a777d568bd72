// One alert: what it says, and why it is where it is.

import { useEffect } from 'preact/hooks';
import { show } from '../../actions/dialogs';
import { alert as load } from '../../api/calls';
import { useKeys } from '../../keyboard';
import { annotationLinks, outsideAddress } from '../../links';
import { on } from '../../live/connection';
import { useDebounced, useResource } from '../../resource';
import { may } from '../../session';
import { useTitle } from '../../title';
import { SeverityBadge, StatusBadge } from '../../ui/Badge';
import { Labels } from '../../ui/Labels';
import { Loading, ProblemNote } from '../../ui/States';
import { Ago, Since } from '../../ui/Time';
import { Why } from '../../ui/Why';
import { OutsideLinks } from '../incident/OutsideLinks';

export function AlertPage({ id }: { id: string }) {
  const { data, problem, reload, retries } = useResource(id, (signal) => load(id, signal));
  const soon = useDebounced(reload, 300);
  const incident = data?.incident_id;
  useTitle(data?.title ?? 'Alert');
  useEffect(() => on('incident', (changed) => changed.id === incident && soon()), [incident]);
  const silence = () => data && may('respond') && show({ kind: 'silence', labels: data.labels, about: data.title });
  useKeys({ s: silence });
  if (!data) return problem ? <ProblemNote problem={problem} what="The alert cannot be loaded." again={reload} retries={retries} /> : <Loading what="the alert" />;
  const links = annotationLinks(data.annotations);
  const texts = Object.entries(data.annotations).filter(([, value]) => !outsideAddress(value));
  return (
    <article class="incident">
      <header class={`incident-head incident-head-${data.severity}`}>
        <p class="incident-line">
          <SeverityBadge severity={data.severity} />
          <StatusBadge status={data.status} />
        </p>
        <h1 tabIndex={-1}>{data.title}</h1>
        {data.description && <p class="incident-summary">{data.description}</p>}
        <dl class="facts">
          <div>
            <dt>{data.ended_at ? 'Fired for' : 'Firing for'}</dt>
            <dd>
              <Since at={data.started_at} until={data.ended_at} />
            </dd>
          </div>
          <div>
            <dt>Last heard of</dt>
            <dd>
              <Ago at={data.last_seen_at} />
            </dd>
          </div>
          <div>
            <dt>Told</dt>
            <dd>{data.occurrences === 1 ? 'once' : `${data.occurrences} times`}</dd>
          </div>
          <div>
            <dt>Source</dt>
            <dd>{data.source}</dd>
          </div>
          {data.external_id && (
            <div>
              <dt>Its own id</dt>
              <dd class="mono">{data.external_id}</dd>
            </div>
          )}
          <div>
            <dt>Fingerprint</dt>
            <dd class="mono">{data.fingerprint}</dd>
          </div>
        </dl>
      </header>
      <div class="actions" role="group" aria-label="Actions">
        {data.incident_id && (
          <a class="button button-primary" href={`/incidents/${data.incident_id}`}>
            Its incident
          </a>
        )}
        {may('respond') && (
          <button type="button" class="button" onClick={silence} aria-keyshortcuts="s">
            Silence…<kbd aria-hidden="true">s</kbd>
          </button>
        )}
      </div>
      {links.length > 0 && <OutsideLinks links={links} />}
      <div class="columns">
        <div class="column">
          <section class="panel" aria-label="Labels">
            <h2>Labels</h2>
            <Labels labels={data.labels} to="/alerts" />
          </section>
          {texts.length > 0 && (
            <section class="panel" aria-label="Annotations">
              <h2>Annotations</h2>
              <dl class="annotations">
                {texts.map(([name, value]) => (
                  <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                  </div>
                ))}
              </dl>
            </section>
          )}
        </div>
        <div class="column">
          <Why of="alerts" id={data.id} revision={data.last_seen_at} />
        </div>
      </div>
    </article>
  );
}
