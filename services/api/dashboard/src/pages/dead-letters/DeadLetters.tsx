// What could not be applied, and whom nobody could tell: to be looked at, and tried again once the reason is gone.

import { useEffect } from 'preact/hooks';
import { redriveLetter, shown } from '../../actions/act';
import { show } from '../../actions/dialogs';
import { toast } from '../../actions/toasts';
import { deadLetters, notifications, redriveDeadLetter, redriveNotifications } from '../../api/calls';
import { newKey } from '../../api/client';
import { amount, type DeadLetter, type Notification } from '../../api/types';
import { on, tell } from '../../live/connection';
import { usePaged } from '../../paged';
import { useDebounced } from '../../resource';
import { here, setQuery } from '../../router';
import { may } from '../../session';
import { NoticeItem } from '../../ui/NoticeItem';
import { Empty, Loading, More, ProblemNote } from '../../ui/States';
import { Ago } from '../../ui/Time';
import { useRowKeys } from '../../ui/row-keys';

export function DeadLetters() {
  const view = here.value.query.get('view') === 'notifications' ? 'notifications' : 'entries';
  return (
    <>
      <header class="page-head">
        <h1 tabIndex={-1}>Dead letters</h1>
        <nav class="tabs" aria-label="Kinds">
          <a href="/dead-letters" aria-current={view === 'entries' ? 'page' : undefined}>
            Entries of streams
          </a>
          <a href="/dead-letters?view=notifications" aria-current={view === 'notifications' ? 'page' : undefined}>
            Notifications
          </a>
        </nav>
      </header>
      {!may('admin') && <p class="muted">To have them tried again, sign in with a token that has the scope admin.</p>}
      {view === 'entries' ? <Entries /> : <Notices />}
    </>
  );
}

function Entries() {
  const list = usePaged<DeadLetter>('entries', (cursor, signal) => deadLetters({ cursor, limit: 50 }, signal));
  const reload = useDebounced(list.reload, 150);
  useEffect(() => on('dead_letter', reload), []);
  const rows = useRowKeys();
  const found = list.data?.data ?? [];
  const redriveAll = async () => {
    for (const letter of found) await redriveDeadLetter(letter.id, newKey());
    toast(`${found.length} dead letters go through the inbox again.`);
    tell('dead_letter', {});
  };
  if (list.problem) return <ProblemNote problem={list.problem} what="Dead letters cannot be loaded." again={list.reload} retries={list.retries} />;
  if (!list.data) return <Loading what="dead letters" />;
  if (found.length === 0) {
    return (
      <Empty shape="check" title="No dead letters">
        <p>All that was accepted was applied. What cannot be is kept here with its reason.</p>
      </Empty>
    );
  }
  return (
    <>
      <div class="bar">
        <p>
          <strong>{list.data.total}</strong> could not be applied
        </p>
        {may('admin') && (
          <button type="button" class="button" onClick={() => show({ kind: 'redrive-all', what: 'dead letters that are shown', count: found.length, run: redriveAll })}>
            Redrive the {found.length} shown…
          </button>
        )}
      </div>
      <ul class="rows" role="list" ref={rows} aria-label="Entries">
        {found.map((letter) => (
          <li key={letter.id} class="row letter">
            <p class="item-head">
              <span>
                <strong>{letter.reason}</strong>
              </span>
              <span class="muted">
                <Ago at={letter.created_at} />
              </span>
            </p>
            <div class="item-foot">
              <details>
                <summary data-row>
                  <span class="mono">
                    {letter.stream} {letter.entry_id}
                  </span>
                </summary>
                <pre class="payload" tabIndex={0} aria-label={`Content of dead letter ${letter.id}`}>
                  {pretty(letter.fields)}
                </pre>
              </details>
              {may('admin') && (
                <button type="button" class="button" onClick={() => shown(redriveLetter(letter), `Dead letter ${letter.id} is not tried again.`)}>
                  Redrive<span class="visually-hidden"> dead letter {letter.id}</span>
                </button>
              )}
            </div>
          </li>
        ))}
      </ul>
      <More more={list.more} loading={list.loadingMore} shown={found.length} total={amount(list.data)} />
    </>
  );
}

/** Fields as text; a field that holds JSON itself is opened. */
function pretty(fields: unknown): string {
  const opened = (_: string, value: unknown): unknown => {
    if (typeof value !== 'string' || !/^[[{]/.test(value)) return value;
    try {
      return JSON.parse(value) as unknown;
    } catch {
      return value;
    }
  };
  return JSON.stringify(fields, opened, 2);
}

function Notices() {
  const receiver = here.value.query.get('receiver') ?? '';
  const filter = { status: 'dead', receiver };
  const list = usePaged<Notification>(receiver, (cursor, signal) => notifications({ ...filter, cursor, limit: 50 }, signal));
  const reload = useDebounced(list.reload, 150);
  useEffect(() => on('dead_letter', reload), []);
  const found = list.data?.data ?? [];
  const receivers = [...new Set([...found.map((notice) => notice.receiver), receiver])].filter((name) => name !== '').sort();
  const redriveAll = async () => {
    const outcome = await redriveNotifications(receiver ? { receiver } : {}, newKey());
    toast(outcome.done ? 'They are told again.' : 'Sent, waiting: a worker will do it.');
    tell('dead_letter', {});
  };
  if (list.problem) return <ProblemNote problem={list.problem} what="Dead notifications cannot be loaded." again={list.reload} retries={list.retries} />;
  if (!list.data) return <Loading what="dead notifications" />;
  const total = list.data.total;
  return (
    <>
      <div class="bar">
        <label class="choice">
          <span>Receiver</span>
          <select value={receiver} onChange={(event) => setQuery({ receiver: event.currentTarget.value })}>
            <option value="">any</option>
            {receivers.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        {may('admin') && found.length > 0 && (
          <button type="button" class="button" onClick={() => show({ kind: 'redrive-all', what: receiver ? `dead notifications of ${receiver}` : 'dead notifications', count: total, run: redriveAll })}>
            Redrive all ({total})…
          </button>
        )}
      </div>
      {found.length === 0 && (
        <Empty shape="check" title="No notification is dead">
          <p>Each was delivered, or is still being tried. What a receiver refuses for good is kept here with its answer.</p>
        </Empty>
      )}
      <ul class="rows items-framed" role="list" aria-label="Dead notifications">
        {found.map((notice) => (
          <NoticeItem key={notice.id} notice={notice} changed={list.reload} showIncident />
        ))}
      </ul>
      <More more={list.more} loading={list.loadingMore} shown={found.length} total={amount(list.data)} />
    </>
  );
}
