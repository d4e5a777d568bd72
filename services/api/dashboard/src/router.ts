// Where the app is: the address is the state, so that a link reproduces the view.

import { signal } from '@preact/signals';

export interface Location {
  path: string;
  query: URLSearchParams;
}

export type Page =
  | { name: 'board' | 'alerts' | 'silences' | 'dead-letters' | 'system' | 'sign-in' | 'nowhere' }
  | { name: 'incident' | 'alert'; id: string };

const read = (): Location => ({ path: window.location.pathname, query: new URLSearchParams(window.location.search) });

export const here = signal<Location>(typeof window === 'undefined' ? { path: '/', query: new URLSearchParams() } : read());

/** The page of a path. */
export function pageOf(path: string): Page {
  const [first = '', second, ...more] = path.split('/').filter((part) => part !== '');
  if (more.length > 0) return { name: 'nowhere' };
  if (second !== undefined) {
    if (first === 'incidents') return { name: 'incident', id: decode(second) };
    if (first === 'alerts') return { name: 'alert', id: decode(second) };
    return { name: 'nowhere' };
  }
  switch (first) {
    case '':
    case 'incidents':
      return { name: 'board' };
    case 'alerts':
    case 'silences':
    case 'dead-letters':
    case 'system':
    case 'sign-in':
      return { name: first };
    default:
      return { name: 'nowhere' };
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Goes somewhere in this app. */
export function navigate(address: string, { replace = false } = {}): void {
  const before = window.location.pathname;
  if (replace) window.history.replaceState(null, '', address);
  else window.history.pushState(null, '', address);
  here.value = read();
  if (window.location.pathname !== before) window.scrollTo(0, 0);
}

/** Changes the query of this page; what is null or empty goes. Typing does not fill the history. */
export function setQuery(changes: Record<string, string | string[] | null>): void {
  const query = new URLSearchParams(here.value.query);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) if (one) query.append(name, one);
  }
  const text = query.toString();
  navigate(here.value.path + (text && `?${text}`), { replace: true });
}

/** An address in this app that a query parameter names, else the board: nobody is sent elsewhere after signing in. */
export function safeNext(next: string | null): string {
  if (!next || !/^\/(?![/\\])/.test(next) || /[\\\u0000-\u001f]/.test(next)) return '/';
  return /^\/(sign-in|api\/|auth\/)/.test(next) ? '/' : next;
}

/** Follows links within the app without loading the page anew, and the browser's back and forward. */
export function followLinks(): void {
  window.addEventListener('popstate', () => (here.value = read()));
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.origin !== window.location.origin || link.target || link.hasAttribute('download')) return;
    if (/^\/(api|auth)\//.test(link.pathname) || link.getAttribute('href')?.startsWith('#')) return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  });
}
