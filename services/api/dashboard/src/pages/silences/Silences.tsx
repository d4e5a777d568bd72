// Silences: who is not told of what, and until when.

import { useEffect, useRef } from 'preact/hooks';
import { shown } from '../../actions/act';
import { show } from '../../actions/dialogs';
import { toast } from '../../actions/toasts';
import { endSilence, silences } from '../../api/calls';
import { newKey } from '../../api/client';
import { amount, type Silence } from '../../api/types';
import { useKeys } from '../../keyboard';
import { on, tell } from '../../live/connection';
import { usePaged } from '../../paged';
import { useDebounced } from '../../resource';
import { here, setQuery } from '../../router';
import { may } from '../../session';
import { StatusBadge } from '../../ui/Badge';
import { Empty, Loading, More, ProblemNote } from '../../ui/States';
import { Ago } from '../../ui/Time';
import { useRowKeys } from '../../ui/row-keys';

const RANK: Record<Silence['status'], number> = { active: 0, pending: 1, expired: 2 };

export function Silences() {
  const { query } = here.value;
  const chosen = query.get('id');
  // A link to one silence must show it, in force or not.
  const expired = query.get('expired') === 'true' || chosen !== null;
  const list = usePaged<Silence>(String(expired), (cursor, signal) =>
    silences({ include_expired: expired ? 'true' : null, cursor, limit: 100 }, signal),
  );
  const reload = useDebounced(list.reload, 150);
  useEffect(() => on('silence', reload), []);
  const rows = useRowKeys();
  const create = () => show({ kind: 'silence', labels: {}, about: '' });
  useKeys(may('respond') ? { s: create } : {});
  // What is in force comes first; within that, the newest.
  const found = [...(list.data?.data ?? [])].sort((a, b) => RANK[a.status] - RANK[b.status]);
  return (
    <>
      <header class="page-head">
        <h1 tabIndex={-1}>Silences</h1>
        {list.data && (
          <p>
            <strong>{found.filter(({ status }) => status === 'active').length}</strong> in force
          </p>
        )}
        <div class="page-tools">
          <label class="check">
            <input type="checkbox" checked={expired} onChange={(event) => setQuery({ expired: event.currentTarget.checked ? 'true' : null, id: null })} />
            Show those that are over
          </label>
          {may('respond') && (
            <button type="button" class="button button-primary" onClick={create} aria-keyshortcuts="s">
              New silence<kbd aria-hidden="true">s</kbd>
            </button>
          )}
        </div>
      </header>
      {list.problem && <ProblemNote problem={list.problem} what="Silences cannot be loaded." again={list.reload} retries={list.retries} />}
      {!list.data && !list.problem && <Loading what="silences" />}
      {list.data && found.length === 0 && (
        <Empty shape="muted" title="No silence is in force">
          <p>Silence what is known and being worked on: from an alert or an incident with the key s, or here with labels of your own.</p>
        </Empty>
      )}
      <ul class="rows" role="list" ref={rows} aria-label="Silences">
        {found.map((silence) => (
          <SilenceRow key={silence.id} silence={silence} chosen={silence.id === chosen} />
        ))}
      </ul>
      {list.data && <More more={list.more} loading={list.loadingMore} shown={found.length} total={amount(list.data)} />}
    </>
  );
}

function SilenceRow({ silence, chosen }: { silence: Silence; chosen: boolean }) {
  const { id, status, matchers, comment, author, recurrence } = silence;
  const end = async () => {
    const outcome = await endSilence(id, newKey());
    toast(outcome.done ? 'The silence has ended.' : 'Sent, waiting: a worker will end it.');
    tell('silence', { id });
  };
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (chosen) item.current?.scrollIntoView({ block: 'center' });
  }, [chosen]);
  return (
    <li ref={item} class={chosen ? 'row silence row-chosen' : 'row silence'} tabIndex={-1} data-row>
      <div class="silence-what">
        <ul class="labels" role="list">
          {matchers.map((matcher) => (
            <li key={matcher}>
              <code class="label">{matcher}</code>
            </li>
          ))}
        </ul>
        {comment && <p>{comment}</p>}
        <p class="muted">
          {author}, <Ago at={silence.created_at} />
          {recurrence && ` · each ${recurrence.days?.join(', ') ?? 'day'} from ${recurrence.from} to ${recurrence.to}, ${recurrence.zone}`}
        </p>
      </div>
      <div class="silence-when">
        <StatusBadge status={status} />
        <span class="muted">
          {status === 'pending' && !recurrence && <Ago at={silence.starts_at} prefix="starts " />}
          {(status === 'active' || recurrence) && status !== 'expired' && <Ago at={silence.ends_at} prefix="ends " />}
          {status === 'expired' && <Ago at={silence.ends_at} prefix="ended " />}
        </span>
      </div>
      {may('respond') && (
        <div class="silence-tools">
          {status !== 'expired' && (
            <button type="button" class="button" onClick={() => shown(end(), 'The silence has not ended.')}>
              End now<span class="visually-hidden"> the silence of {matchers.join(', ')}</span>
            </button>
          )}
          <button type="button" class="button button-quiet" onClick={() => show({ kind: 'delete-silence', silence })}>
            Delete<span class="visually-hidden"> the silence of {matchers.join(', ')}</span>
          </button>
        </div>
      )}
    </li>
  );
}
