// How long to wait before the next attempt to connect.

/** The first wait, and the longest, in milliseconds. */
export const FIRST_MS = 500;
export const LONGEST_MS = 15_000;

/** Doubles with each attempt that failed, and lies anywhere in the upper half: many browsers do not come back at once. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return Math.round(full / 2 + (full / 2) * random());
}
