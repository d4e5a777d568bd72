// All alerts, the newest first, whether or not an incident came of them.

import { usePaged } from '../../paged';
import { alerts, queryString } from '../../api/calls';
import { amount, type Alert } from '../../api/types';
import { on } from '../../live/connection';
import { useEffect } from 'preact/hooks';
import { useDebounced } from '../../resource';
import { here } from '../../router';
import { SeverityBadge, StatusBadge } from '../../ui/Badge';
import { Labels } from '../../ui/Labels';
import { Empty, Loading, More, ProblemNote } from '../../ui/States';
import { Since } from '../../ui/Time';
import { useRowKeys } from '../../ui/row-keys';
import { Choice, LabelFilter, SearchField } from '../board/Filters';
import { labelOf } from '../board/filter';

const SETTLE_MS = 400;
const SOURCES = ['cloudwatch', 'datadog', 'generic', 'grafana', 'pagerduty', 'prometheus', 'sentry'];

export function Alerts() {
  const { query, path } = here.value;
  const labels = query.getAll('label').map(labelOf).filter((label) => label !== null);
  const filter = { status: query.get('status'), severity: query.get('severity'), source: query.get('source'), q: query.get('q'), label: labels };
  const list = usePaged<Alert>(queryString(filter), (cursor, signal) => alerts({ ...filter, cursor, limit: 50 }, signal));
  const reload = useDebounced(list.reload, SETTLE_MS);
  const shown = list.data?.data ?? [];
  // Whoever has loaded more is reading: the list does not jump under them.
  const isReading = shown.length > 50;
  useEffect(() => on('incident', () => isReading || reload()), [isReading]);
  const rows = useRowKeys();
  const filtered = query.size > 0;
  return (
    <>
      <header class="page-head">
        <h1 tabIndex={-1}>Alerts</h1>
        {list.data && (
          <p>
            <strong>{amount(list.data)}</strong> {filtered ? 'match' : 'known'}
          </p>
        )}
      </header>
      <div class="filters" role="search" aria-label="Alerts">
        <SearchField value={filter.q ?? ''} name="Search titles" />
        <Choice name="Status" param="status" value={filter.status ?? ''} options={[['', 'any'], ['firing', 'firing'], ['resolved', 'resolved']]} />
        <Choice name="Severity" param="severity" value={filter.severity ?? ''} options={[['', 'any'], ['critical', 'critical'], ['warning', 'warning'], ['info', 'info']]} />
        <Choice name="Source" param="source" value={filter.source ?? ''} options={[['', 'any'], ...SOURCES.map((one) => [one, one] as [string, string])]} />
        <LabelFilter labels={labels} />
        {filtered && (
          <a class="button button-quiet" href={path}>
            Clear
          </a>
        )}
      </div>
      {list.problem && <ProblemNote problem={list.problem} what="Alerts cannot be loaded." again={list.reload} retries={list.retries} />}
      {!list.data && !list.problem && <Loading what="alerts" />}
      {list.data && shown.length === 0 && (
        <Empty shape={filtered ? 'search' : 'bell'} title={filtered ? 'No alert matches these filters' : 'No alert has arrived yet'}>
          <p>{filtered ? <a class="button" href={path}>Show all alerts</a> : <a class="button" href="/">The board has a line that sends a test alert</a>}</p>
        </Empty>
      )}
      <ul class="rows" role="list" ref={rows} aria-label="Alerts">
        {shown.map((alert) => (
          <AlertRow key={alert.id} alert={alert} />
        ))}
      </ul>
      {list.data && <More more={list.more} loading={list.loadingMore} shown={shown.length} total={amount(list.data)} />}
    </>
  );
}

function AlertRow({ alert }: { alert: Alert }) {
  return (
    <li class={`row row-${alert.severity} row-is-${alert.status}`}>
      <div class="row-link row-alert">
        <SeverityBadge severity={alert.severity} />
        <div class="row-main">
          <a class="row-title" href={`/alerts/${alert.id}`} data-row>
            {alert.title}
          </a>
          <Labels labels={alert.labels} to="/alerts" most={6} />
        </div>
        <span class="row-state">
          <StatusBadge status={alert.status} />
        </span>
        <span class="row-firing muted">{alert.source}</span>
        <span class="row-age">
          <Since at={alert.started_at} until={alert.ended_at} />
        </span>
      </div>
    </li>
  );
}
