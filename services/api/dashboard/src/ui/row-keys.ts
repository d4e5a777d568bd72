// j and k in a list: the focus goes from link to link.

import { useRef } from 'preact/hooks';
import { useKeys } from '../keyboard';

/** Give the result to the list; what is to be gone to has `data-row`. */
export function useRowKeys<T extends HTMLElement = HTMLUListElement>() {
  const list = useRef<T>(null);
  const move = (step: number) => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [])];
    const at = rows.findIndex((row) => row === document.activeElement);
    const next = rows[Math.min(Math.max(at < 0 ? 0 : at + step, 0), rows.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: 'nearest' });
  };
  useKeys({ j: () => move(1), k: () => move(-1) });
  return list;
}
