// One notification and its fate; its attempts are loaded when somebody looks.

import { useState } from 'preact/hooks';
import { redriveNotice, shown } from '../actions/act';
import { notification as load } from '../api/calls';
import type { Notification, NotificationDetail } from '../api/types';
import { useResource } from '../resource';
import { may } from '../session';
import { absolute, clock } from '../time';
import { StatusBadge } from './Badge';
import { Loading, ProblemNote } from './States';
import { Ago } from './Time';

export function NoticeItem({ notice, changed, showIncident = false }: { notice: Notification; changed: () => void; showIncident?: boolean }) {
  const [open, setOpen] = useState(false);
  const redrive = () => shown(redriveNotice(notice).then(changed), `${notice.receiver} is not told again.`);
  return (
    <li class="item">
      <p class="item-head">
        <span>
          <strong>{notice.receiver}</strong> <span class="muted">{notice.kind.replaceAll('_', ' ')}</span>
          {notice.instead_of && <span class="muted"> instead of {notice.instead_of}</span>}
        </span>
        <span class="item-badges">
          <StatusBadge status={notice.status} />
          <span class="muted">
            <Ago at={notice.finished_at ?? notice.created_at} />
          </span>
        </span>
      </p>
      {notice.because && <p class="item-text muted">{notice.because}</p>}
      {notice.reason && <p class={notice.status === 'dead' ? 'item-text fault' : 'item-text muted'}>{notice.reason}</p>}
      <div class="item-foot">
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>
            {notice.attempts === 1 ? '1 attempt' : `${notice.attempts} attempts`}
            <span class="visually-hidden"> to tell {notice.receiver}</span>
          </summary>
          {open && <Attempts id={notice.id} attempts={notice.attempts} />}
        </details>
        {showIncident && <a href={`/incidents/${notice.incident_id}`}>Incident</a>}
        {notice.status === 'dead' && may('admin') && (
          <button type="button" class="button" onClick={redrive}>
            Redrive
          </button>
        )}
      </div>
    </li>
  );
}

function Attempts({ id, attempts }: { id: string; attempts: number }) {
  const { data, problem, reload, retries } = useResource<NotificationDetail>(`${id} ${attempts}`, (signal) => load(id, signal));
  if (problem) return <ProblemNote problem={problem} what="The attempts cannot be loaded." again={reload} retries={retries} />;
  if (!data) return <Loading what="attempts" />;
  if (data.deliveries.length === 0) return <p class="muted">It was not tried yet.</p>;
  return (
    <ol class="attempts">
      {data.deliveries.map(({ attempt, at, latency_ms, http_status, answer }) => (
        <li key={attempt}>
          <time dateTime={at} title={absolute(new Date(at))}>
            {clock(new Date(at))}
          </time>{' '}
          <span class="mono">{http_status ?? 'no answer'}</span> <span class="muted">{latency_ms} ms</span> {answer}
        </li>
      ))}
    </ol>
  );
}
