// Dark or light: as the system says, unless somebody has chosen.

import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
export const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
const KEY = 'tocsin.theme';

/** What was chosen. A browser that keeps nothing follows the system. */
export function chosenTheme(): Theme {
  try {
    const kept = window.localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === kept) ?? 'system';
  } catch {
    return 'system';
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}

export const theme = signal<Theme>(typeof window === 'undefined' ? 'system' : chosenTheme());

export function chooseTheme(next: Theme): void {
  theme.value = next;
  applyTheme(next);
  try {
    window.localStorage.setItem(KEY, next);
  } catch {
    // It holds until the page is closed.
  }
}
