// The board: what is open, the worst first. It changes by itself.

import { useEffect, useRef, useState } from 'preact/hooks';
import { acknowledge, waiting } from '../../actions/act';
import { show } from '../../actions/dialogs';
import { announcement, toast } from '../../actions/toasts';
import { amount, type Incident } from '../../api/types';
import { useKeys } from '../../keyboard';
import { on } from '../../live/connection';
import { here } from '../../router';
import { useResource } from '../../resource';
import { may } from '../../session';
import { Loading, More, ProblemNote } from '../../ui/States';
import { Counts } from './Counts';
import { EmptyBoard } from './EmptyBoard';
import { isFiltered, matches, readFilter } from './filter';
import { Filters } from './Filters';
import { type Board as BoardData, loadBoard, loadMore } from './load';
import { MAX_LIVE_ROWS, withChange } from './order';
import { useTitle } from '../../title';
import { Row } from './Row';
import { useSelection } from './selection';

/** Whether it has just begun: an old one that changes may be new to the board, and is no news. */
const isYoung = ({ status, triggered_at, updated_at }: Incident): boolean =>
  status === 'triggered' && Date.parse(updated_at) - Date.parse(triggered_at) < 60_000;

export function Board() {
  const query = here.value.query;
  const filter = readFilter(query);
  const key = JSON.stringify(filter);
  const board = useResource<BoardData>(key, (signal) => loadBoard(filter, signal), true);
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const [loadingMore, setLoadingMore] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  const known = board.data?.incidents ?? [];
  const latest = useRef(known);
  latest.current = known;

  useEffect(
    () =>
      on('incident', (changed) => {
        const isNew = matches(filter, changed) && !latest.current.some(({ id }) => id === changed.id);
        if (isNew) setFresh((old) => new Set([...old].slice(-50)).add(changed.id));
        if (isNew && isYoung(changed)) {
          announcement.value = `New ${changed.severity} incident ${changed.incident_number}: ${changed.title}`;
        }
        board.set((data) => withChange(data, changed, filter));
      }),
    [key],
  );

  const unseen = known.filter(({ status }) => status === 'triggered').length;
  useTitle(unseen > 0 ? `(${unseen}) Board` : 'Board');
  const selection = useSelection(list, known);
  const withSelected = (action: (incident: Incident) => void, needs?: 'respond') => () => {
    const incident = selection.current();
    if (!incident) return toast('Select an incident first: j and k move.');
    if (needs && !may(needs)) return toast('Your token may only read.');
    action(incident);
  };
  useKeys({
    j: () => selection.move(1),
    k: () => selection.move(-1),
    a: withSelected(acknowledge, 'respond'),
    r: withSelected((incident) => show({ kind: 'resolve', incident }), 'respond'),
    n: withSelected((incident) => show({ kind: 'note', incident }), 'respond'),
    s: withSelected((incident) => show({ kind: 'silence', labels: incident.labels, about: incident.title }), 'respond'),
  });

  const more = () => {
    if (!board.data) return;
    setLoadingMore(true);
    loadMore(board.data)
      .then((data) => board.set(() => data))
      .catch(() => board.reload())
      .finally(() => setLoadingMore(false));
  };

  return (
    <>
      <header class="page-head">
        <h1 tabIndex={-1}>Board</h1>
        {board.data && <Counts incidents={known} board={board.data} filter={filter} />}
        {may('respond') && (
          <div class="page-tools">
            <button type="button" class="button" onClick={() => show({ kind: 'declare' })} aria-keyshortcuts="c">
              Declare<span class="visually-hidden"> an incident</span>
              <kbd aria-hidden="true">c</kbd>
            </button>
          </div>
        )}
      </header>
      <Filters filter={filter} />
      {board.problem && <ProblemNote problem={board.problem} what="The board cannot be loaded." again={board.reload} retries={board.retries} />}
      {!board.data && !board.problem && <Loading what="incidents" />}
      {board.data && known.length === 0 && <EmptyBoard filtered={isFiltered(filter)} />}
      {known.length > 0 && (
        <ul class="rows" role="list" ref={list} aria-label="Incidents" aria-busy={board.loading} onFocusIn={selection.onFocus}>
          {known.map((incident) => (
            <Row key={incident.id} incident={incident} fresh={fresh.has(incident.id)} waits={waiting.value.has(incident.id)} />
          ))}
        </ul>
      )}
      {board.data && (
        <More more={board.data.cursors.length > 0 && !board.loading ? more : null} loading={loadingMore} shown={known.length} total={amount(board.data)} />
      )}
      {board.data && board.data.cursors.length === 0 && known.length < board.data.total && known.length >= MAX_LIVE_ROWS && (
        <p class="muted">
          These are the worst {known.length} of {amount(board.data)}. Filter to see the others.
        </p>
      )}
    </>
  );
}
