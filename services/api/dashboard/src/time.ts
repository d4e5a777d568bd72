// Times for people: how long ago at a glance, exactly on demand.

import { signal } from '@preact/signals';

/** The present, as far as what is shown is concerned. */
export const now = signal(Date.now());

const TICK_MS = 5_000;

export function tick(): void {
  setInterval(() => (now.value = Date.now()), TICK_MS);
}

const UNITS: [string, number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** A length of time in at most two units: `45 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const index = UNITS.findIndex(([, size]) => whole >= size);
  if (index < 0) return '0 s';
  const [unit, size] = UNITS[index]!;
  const count = Math.floor(whole / size);
  const next = UNITS[index + 1];
  // Seconds beside minutes, and hours beside many days, are noise.
  if (!next || next[0] === 's' || count >= 10) return `${count} ${unit}`;
  const rest = Math.floor((whole % size) / next[1]);
  return rest === 0 ? `${count} ${unit}` : `${count} ${unit} ${rest} ${next[0]}`;
}

/** `12 s ago`, `in 2 h`, `just now`. A clock that goes a little wrong is none's business. */
export function relative(at: number, present: number): string {
  const seconds = (present - at) / 1000;
  if (Math.abs(seconds) < 5) return 'just now';
  return seconds > 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`;
}

/** In the reader's own zone, with its name. */
export function absolute(at: Date): string {
  return at.toLocaleString(undefined, {
    weekday: 'short',
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  });
}

/** The time of day, for a timeline. */
export const clock = (at: Date): string =>
  at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
