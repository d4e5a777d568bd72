// The head of every page: where to go, whether it is live, who one is.

import { shown } from './actions/act';
import { show } from './actions/dialogs';
import { LiveMark } from './live/Banner';
import { Icon } from './ui/Icon';
import { here, pageOf } from './router';
import { endSession, session } from './session';
import { chooseTheme, theme } from './theme';
import { THEMES } from './theme-choice';

const PLACES: [string, string, string[]][] = [
  ['/', 'Board', ['board', 'incident']],
  ['/alerts', 'Alerts', ['alerts', 'alert']],
  ['/silences', 'Silences', ['silences']],
  ['/dead-letters', 'Dead letters', ['dead-letters']],
  ['/system', 'System', ['system']],
];

export function Header() {
  const page = pageOf(here.value.path).name;
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system';
  return (
    <header class="top">
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <a class="brand" href="/" aria-label="Tocsin, the board">
        <img src={document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href ?? ''} alt="" width="24" height="24" />
        <span>Tocsin</span>
      </a>
      <nav class="places" aria-label="Pages">
        {PLACES.map(([address, name, pages]) => (
          <a key={address} href={address} aria-current={pages.includes(page) ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <div class="top-tools">
        <LiveMark />
        <button type="button" class="button button-quiet" onClick={() => chooseTheme(next)} title={`Change to ${next}`} aria-label={`Theme: ${theme.value}. Change to ${next}`}>
          <Icon shape="half" />
          {theme.value}
        </button>
        <button type="button" class="button button-quiet help-button" onClick={() => show({ kind: 'help' })} aria-label="Keys" aria-keyshortcuts="?">
          ?
        </button>
        <button type="button" class="button button-quiet" onClick={() => shown(endSession(), 'You are still signed in.')} title={`Signed in as ${session.value?.name ?? ''}`}>
          Sign out<span class="visually-hidden">, {session.value?.name}</span>
        </button>
      </div>
    </header>
  );
}
