// Short messages about what was done. They are read out, and go by themselves unless something went wrong.

import { signal } from '@preact/signals';
import type { Problem } from '../api/problem';

const STAYS_MS = 6_000;
/** Most that are shown at once; the oldest goes. */
const MAX_TOASTS = 4;

export interface Toast {
  id: number;
  text: string;
  problem: Problem | null;
}

export const toasts = signal<Toast[]>([]);
/** What only those hear who do not see it. */
export const announcement = signal('');

let last = 0;

export function toast(text: string, problem: Problem | null = null): void {
  const id = (last += 1);
  toasts.value = [...toasts.value, { id, text, problem }].slice(-MAX_TOASTS);
  if (!problem) setTimeout(() => dismiss(id), STAYS_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}
