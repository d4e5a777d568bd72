// Keys: one place that listens, and pages that say what a key does while they are shown.

import { useLayoutEffect } from 'preact/hooks';

/** Time within which the second key of two must follow, in milliseconds. */
const SEQUENCE_MS = 1_200;

export type Bindings = Record<string, () => void>;

const layers: Bindings[] = [];
let prefix = '';
let prefixAt = 0;

/** What a key press means: the key, or two keys one after the other (`g b`). */
export function chord(key: string, pending: string, known: (name: string) => boolean): { run: string | null; pending: string } {
  if (pending) {
    const both = `${pending} ${key}`;
    if (known(both)) return { run: both, pending: '' };
  }
  if (known(key)) return { run: key, pending: '' };
  // Shift comes before the key that it changes.
  return { run: null, pending: key === 'Shift' ? pending : key.length === 1 ? key : '' };
}

function find(name: string): (() => void) | undefined {
  for (let index = layers.length - 1; index >= 0; index -= 1) {
    const found = layers[index]?.[name];
    if (found) return found;
  }
  return undefined;
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    // A dialog has its own keys: the browser's.
    if (document.querySelector('dialog[open]')) return;
    if (isTyping(event.target)) {
      if (event.key === 'Escape') (event.target as HTMLElement).blur();
      return;
    }
    const pending = Date.now() - prefixAt < SEQUENCE_MS ? prefix : '';
    const { run, pending: next } = chord(event.key, pending, (name) => find(name) !== undefined);
    prefix = next;
    prefixAt = Date.now();
    if (!run) return;
    event.preventDefault();
    find(run)?.();
  });
}

/** What keys do while a component is shown, from the moment on that it can be seen. The one that was shown last comes first. */
export function useKeys(bindings: Bindings): void {
  useLayoutEffect(() => {
    layers.push(bindings);
    return () => void layers.splice(layers.indexOf(bindings), 1);
  });
}
