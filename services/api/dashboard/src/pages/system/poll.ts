// What the system does, asked every five seconds while somebody looks. The lines go on where they were left.

import { useEffect, useState } from 'preact/hooks';
import { system as read } from '../../api/calls';
import { Problem, unanswered } from '../../api/problem';
import type { System } from '../../api/types';
import { Series } from './series';

const EVERY_MS = 5_000;

export const series = new Series();
let lastSeen: System | null = null;

/** Every figure that has a line, by a name of its own. */
export function figures(system: System): Record<string, number> {
  const all: Record<string, number> = { inbox: system.inbox.length, firing: system.alerts.firing };
  for (const { name, lag, pending } of system.streams) {
    all[`stream ${name} lag`] = lag;
    all[`stream ${name} pending`] = pending;
  }
  for (const { name, pending } of system.receivers) all[`receiver ${name}`] = pending;
  for (const { instance, rates } of system.services) {
    for (const [rate, value] of Object.entries(rates)) all[`service ${instance} ${rate}`] = value;
  }
  return all;
}

export function useSystem(): { system: System | null; problem: Problem | null; ask: () => void } {
  const [state, setState] = useState<{ system: System | null; problem: Problem | null }>({ system: lastSeen, problem: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const aborting = new AbortController();
    let asking = false;
    const poll = () => {
      if (asking || document.hidden) return;
      asking = true;
      read(aborting.signal)
        .then((system) => {
          if (aborting.signal.aborted) return;
          lastSeen = system;
          series.push(figures(system));
          setState({ system, problem: null });
        })
        .catch((error: unknown) => {
          if (aborting.signal.aborted) return;
          const problem = error instanceof Problem ? error : unanswered();
          setState((old) => ({ ...old, problem }));
        })
        .finally(() => (asking = false));
    };
    poll();
    const timer = setInterval(poll, EVERY_MS);
    return () => {
      clearInterval(timer);
      aborting.abort();
    };
  }, [round]);
  return { ...state, ask: () => setRound((old) => old + 1) };
}
