// Dark or light: as the system says, unless somebody has chosen.

import { signal } from '@preact/signals';
import { applyTheme, chosenTheme, KEY, type Theme } from './theme-choice';

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
