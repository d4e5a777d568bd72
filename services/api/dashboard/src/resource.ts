// Data of a page: loaded when the page is shown, anew after a gap in the live connection, and again and again while it cannot be.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Problem, unanswered } from './api/problem';
import { backoffMs } from './live/backoff';
import { epoch } from './live/connection';

export interface Resource<T> {
  data: T | null;
  problem: Problem | null;
  loading: boolean;
  /** Whether it is loaded again by itself after a problem, a little later each time. */
  retries: boolean;
  /** Loads it again; what is shown stays until then. */
  reload: () => void;
  /** Puts what is known by other means. */
  set: (change: (data: T) => T) => void;
}

/**
 * Loads what `key` names. Another key drops what was there, or with `keep` shows it until the other is loaded: a filter
 * must not take away the control that changed it.
 */
export function useResource<T>(key: string, load: (signal: AbortSignal) => Promise<T>, keep = false): Resource<T> {
  const [state, setState] = useState<{ key: string; data: T | null; problem: Problem | null; loading: boolean }>({
    key,
    data: null,
    problem: null,
    loading: true,
  });
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const failures = useRef(0);
  const gap = epoch.value;

  useEffect(() => void (failures.current = 0), [key]);

  useEffect(() => {
    const aborting = new AbortController();
    let timer = 0;
    setState((old) => ({ key, data: old.key === key || keep ? old.data : null, problem: old.key === key ? old.problem : null, loading: true }));
    latest.current(aborting.signal).then(
      (data) => {
        if (aborting.signal.aborted) return;
        failures.current = 0;
        setState({ key, data, problem: null, loading: false });
      },
      (error: unknown) => {
        if (aborting.signal.aborted) return;
        const problem = error instanceof Problem ? error : unanswered();
        setState((old) => ({ ...old, problem, loading: false }));
        if (problem.passes) timer = window.setTimeout(() => setRound((old) => old + 1), backoffMs((failures.current += 1)));
      },
    );
    return () => {
      aborting.abort();
      window.clearTimeout(timer);
    };
  }, [key, round, gap]);

  const reload = useCallback(() => setRound((old) => old + 1), []);
  const set = useCallback((change: (data: T) => T) => {
    setState((old) => (old.data === null ? old : { ...old, data: change(old.data) }));
  }, []);
  const current = state.key === key;
  const problem = current ? state.problem : null;
  return { data: current || keep ? state.data : null, problem, loading: state.loading, retries: problem?.passes ?? false, reload, set };
}

/** Calls back once things have been quiet for a moment, for events that come in heaps; at the latest after ten such. */
export function useDebounced(callback: () => void, ms: number): () => void {
  const latest = useRef(callback);
  latest.current = callback;
  const timer = useRef(0);
  const since = useRef(0);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return useCallback(() => {
    const present = Date.now();
    if (!timer.current) since.current = present;
    window.clearTimeout(timer.current);
    const wait = present - since.current > ms * 10 ? 0 : ms;
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      latest.current();
    }, wait);
  }, [ms]);
}
