// Loads the board: all that is open, the worst for certain even where there is too much to load at once.

import { incidents, MAX_ITEMS, type Query } from '../../api/calls';
import type { Incident } from '../../api/types';
import { type BoardFilter, statusesOf } from './filter';
import { merge } from './order';

export interface Board {
  incidents: readonly Incident[];
  /** All that match, loaded or not. */
  total: number;
  total_is_exact: boolean;
  /** What to ask for next, by status. */
  cursors: Query[];
}

export async function loadBoard(filter: BoardFilter, signal?: AbortSignal): Promise<Board> {
  const board = await loadWindows(statusesOf(filter).map((status) => queryOf(filter, status)), signal);
  if (board.cursors.length === 0 || filter.severity || filter.status !== 'open') return board;
  // The API gives the newest first; what is older and worse must not wait for somebody to load more.
  const worst = statusesOf(filter).flatMap((status) =>
    ['critical', 'high'].map((severity) => ({ ...queryOf(filter, status), severity })),
  );
  const { incidents: found } = await loadWindows(worst, signal);
  return { ...board, incidents: merge(board.incidents, found) };
}

export async function loadMore(board: Board): Promise<Board> {
  const more = await loadWindows(board.cursors);
  return { ...board, incidents: merge(board.incidents, more.incidents), cursors: more.cursors };
}

const queryOf = (filter: BoardFilter, status: string): Query => ({
  status,
  severity: filter.severity,
  label: filter.labels,
  q: filter.text,
  limit: status === 'resolved' || status === 'canceled' ? 50 : MAX_ITEMS,
});

async function loadWindows(queries: Query[], signal?: AbortSignal): Promise<Board> {
  const lists = await Promise.all(queries.map((query) => incidents(query, signal)));
  return {
    incidents: lists.reduce<Incident[]>((all, list) => merge(all, list.data), []),
    total: lists.reduce((sum, list) => sum + list.total, 0),
    total_is_exact: lists.every((list) => list.total_is_exact),
    cursors: queries.flatMap((query, index) => {
      const cursor = lists[index]?.next_cursor;
      return cursor ? [{ ...query, cursor }] : [];
    }),
  };
}
