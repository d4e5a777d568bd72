// The one dialog that is open, if any.

import { signal } from '@preact/signals';
import type { Incident, Labels, Silence } from '../api/types';

export type OpenDialog =
  | { kind: 'help' }
  | { kind: 'resolve' | 'cancel' | 'note' | 'severity'; incident: Incident }
  | { kind: 'silence'; labels: Labels; about: string }
  | { kind: 'delete-silence'; silence: Silence }
  | { kind: 'redrive-all'; what: string; count: number; run: () => Promise<void> };

export const openDialog = signal<OpenDialog | null>(null);

export const show = (dialog: OpenDialog): void => void (openDialog.value = dialog);
export const close = (): void => void (openDialog.value = null);
