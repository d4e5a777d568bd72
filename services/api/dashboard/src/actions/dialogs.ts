// The one dialog that is open, if any.

import { signal } from '@preact/signals';
import type { Incident, Labels, Silence } from '../api/types';

export type OpenDialog =
  | { kind: 'help' | 'declare' }
  | { kind: 'resolve' | 'cancel' | 'note' | 'severity'; incident: Incident }
  | { kind: 'silence'; labels: Labels; about: string }
  | { kind: 'delete-silence'; silence: Silence }
  | { kind: 'redrive-all'; what: string; count: number; run: () => Promise<void> };

export const openDialog = signal<(OpenDialog & { id: number }) | null>(null);

let last = 0;

export function show(dialog: OpenDialog): void {
  last += 1;
  openDialog.value = { ...dialog, id: last };
}

/** Closes the dialog that is open; with an id, only if it is still that one. */
export function close(id?: number): void {
  if (id === undefined || openDialog.value?.id === id) openDialog.value = null;
}
