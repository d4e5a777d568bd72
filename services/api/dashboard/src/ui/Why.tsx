// Why an incident or an alert is as it is: the routes, the group, silences, who is told, decision by decision.

import { useState } from 'preact/hooks';
import { alertExplain, incidentExplain } from '../api/calls';
import type { Decision, List } from '../api/types';
import { useResource } from '../resource';
import { decisive, groupParts, outcome, suppression } from './explanation';
import { Loading, ProblemNote } from './States';
import { Ago } from './Time';

const FIRST = 8;

export function Why({ of, id, revision }: { of: 'incidents' | 'alerts'; id: string; revision: number | string }) {
  const [open, setOpen] = useState(false);
  return (
    <section class="panel" aria-label="Why">
      <details class="why" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <h2>Why it is so</h2>
        </summary>
        {open && <Explanation of={of} id={id} revision={revision} />}
      </details>
    </section>
  );
}

function Explanation({ of, id, revision }: { of: 'incidents' | 'alerts'; id: string; revision: number | string }) {
  const load = of === 'incidents' ? incidentExplain : alertExplain;
  const [all, setAll] = useState(false);
  const { data, problem, reload, retries } = useResource<List<Decision>>(`${id} ${revision}`, (signal) => load(id, signal));
  if (problem) return <ProblemNote problem={problem} what="It cannot be explained now." again={reload} retries={retries} />;
  if (!data) return <Loading what="the decisions" />;
  const first = decisive(data.data);
  const shown = all ? data.data : data.data.slice(0, FIRST);
  return (
    <>
      {first && <Reason decision={first} />}
      {data.data.length === 0 && <p class="muted">No decision is kept any more: retention has forgotten the events.</p>}
      <h3>Decisions, the newest first</h3>
      <ol class="decisions">
        {shown.map((decision, index) => (
          <DecisionItem key={`${decision.event_id} ${index}`} decision={decision} />
        ))}
      </ol>
      {!all && data.data.length > FIRST && (
        <button type="button" class="button" onClick={() => setAll(true)}>
          Show all {data.data.length}
        </button>
      )}
    </>
  );
}

function Reason({ decision }: { decision: Decision }) {
  const { routes, group_key, suppressed_by } = decision;
  const group = group_key ? groupParts(group_key) : null;
  const quiet = suppressed_by ? suppression(suppressed_by) : null;
  return (
    <dl class="reason">
      {routes && routes.length > 0 && (
        <div>
          <dt>{routes.length === 1 ? 'Route' : 'Routes'}</dt>
          <dd>
            {routes.map((route) => (
              <code key={route}>{route === '{}' ? '{} (the root, which takes what no other does)' : route}</code>
            ))}
          </dd>
        </div>
      )}
      {group && (
        <div>
          <dt>Grouped by</dt>
          <dd>
            <code>{group.labels || group.route}</code>
          </dd>
        </div>
      )}
      <div>
        <dt>Kept quiet by</dt>
        <dd>{quiet ? quiet.address ? <a href={quiet.address}>{quiet.text}</a> : quiet.text : 'nothing'}</dd>
      </div>
    </dl>
  );
}

function DecisionItem({ decision }: { decision: Decision }) {
  const quiet = decision.suppressed_by ? suppression(decision.suppressed_by) : null;
  return (
    <li class="decision">
      <p>
        {decision.event?.title && <strong>{decision.event.title}: </strong>}
        {outcome(decision)}. <span class="muted"><Ago at={decision.received_at} /></span>
      </p>
      {quiet && <p class="muted">Quiet because of {quiet.address ? <a href={quiet.address}>{quiet.text}</a> : quiet.text}.</p>}
      {decision.notices?.map((notice, index) => (
        <p key={index} class="muted">
          {notice.withheld
            ? `${notice.receiver ?? 'Nobody'} is not told (${notice.kind}): ${notice.withheld}.`
            : `${notice.receiver} is told (${notice.kind}).`}
        </p>
      ))}
    </li>
  );
}
