// The selected row is the one that has the focus. It stays selected when the board moves under it.

import { type RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Incident } from '../../api/types';

/** What was selected when the board was left, so that coming back goes on from there. */
let lastSelected: string | null = null;

export function useSelection(list: RefObject<HTMLUListElement | null>, incidents: readonly Incident[]) {
  const selected = useRef<string | null>(lastSelected);
  const links = () => [...(list.current?.querySelectorAll<HTMLAnchorElement>('[data-incident]') ?? [])];
  const hadFocus = useRef(false);

  const focus = (link: HTMLAnchorElement | undefined) => {
    link?.focus();
    link?.scrollIntoView({ block: 'nearest' });
  };

  // A row that the browser has moved has lost the focus.
  useLayoutEffect(() => {
    if (!hadFocus.current || document.activeElement !== document.body) return;
    links().find((link) => link.dataset['incident'] === selected.current)?.focus({ preventScroll: true });
  });

  return {
    onFocus: (event: FocusEvent) => {
      const id = event.target instanceof HTMLElement ? event.target.dataset['incident'] : undefined;
      if (!id) return;
      selected.current = lastSelected = id;
      hadFocus.current = true;
    },
    /** Moves by rows; the first move comes back to what was selected before. */
    move: (step: number) => {
      const all = links();
      const at = all.findIndex((link) => link.dataset['incident'] === selected.current);
      const isThere = at >= 0 && all[at] === document.activeElement;
      const next = at < 0 ? 0 : isThere ? at + step : at;
      focus(all[Math.min(Math.max(next, 0), all.length - 1)]);
    },
    /** The incident whose row has the focus. */
    current: (): Incident | undefined => {
      const active = document.activeElement;
      const id = active instanceof HTMLElement ? active.dataset['incident'] : undefined;
      return incidents.find((incident) => incident.id === id);
    },
  };
}
