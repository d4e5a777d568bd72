// The frame of every page, and which page it is.

import { useEffect, useRef } from 'preact/hooks';
import { Dialogs } from './actions/DialogHost';
import { show } from './actions/dialogs';
import { Toasts } from './actions/ToastList';
import { Header } from './Header';
import { useKeys } from './keyboard';
import { Banner } from './live/Banner';
import { AlertPage } from './pages/alerts/AlertPage';
import { Alerts } from './pages/alerts/Alerts';
import { Board } from './pages/board/Board';
import { DeadLetters } from './pages/dead-letters/DeadLetters';
import { IncidentPage } from './pages/incident/IncidentPage';
import { SignIn } from './pages/sign-in/SignIn';
import { Silences } from './pages/silences/Silences';
import { SystemPage } from './pages/system/SystemPage';
import { here, navigate, type Page, pageOf } from './router';
import { beginSession, may, session, sessionProblem } from './session';
import { useTitle } from './title';
import { Empty, Loading, ProblemNote } from './ui/States';

export function App() {
  if (session.value === null) return <SignInFrame />;
  if (session.value === undefined) {
    return (
      <main class="page">
        {sessionProblem.value ? (
          <ProblemNote problem={sessionProblem.value} what="The dashboard cannot start." again={() => void beginSession()} />
        ) : (
          <Loading what="Tocsin" />
        )}
      </main>
    );
  }
  return <Frame />;
}

function SignInFrame() {
  return (
    <main class="page">
      <SignIn />
      <Toasts />
    </main>
  );
}

function Frame() {
  const { path } = here.value;
  const page = pageOf(path);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useKeys({
    '?': () => show({ kind: 'help' }),
    ...(may('respond') && { c: () => show({ kind: 'declare' }) }),
    'g b': () => navigate('/'),
    'g a': () => navigate('/alerts'),
    'g s': () => navigate('/silences'),
    'g d': () => navigate('/dead-letters'),
    'g y': () => navigate('/system'),
  });
  // Another page begins at its heading, for those who hear it as well.
  useEffect(() => {
    if (!isFirst.current) (main.current?.querySelector<HTMLElement>('h1') ?? main.current)?.focus({ preventScroll: true });
    isFirst.current = false;
  }, [path]);
  return (
    <>
      <Header />
      <Banner />
      <main class="page" id="main" ref={main} tabIndex={-1}>
        <Content page={page} />
      </main>
      <Dialogs />
      <Toasts />
    </>
  );
}

const TITLES = { alerts: 'Alerts', silences: 'Silences', 'dead-letters': 'Dead letters', system: 'System' };

function Content({ page }: { page: Page }) {
  switch (page.name) {
    case 'incident':
      return <IncidentPage key={page.id} id={page.id} />;
    case 'alert':
      return <AlertPage key={page.id} id={page.id} />;
    case 'sign-in':
    case 'nowhere':
      return <Nowhere />;
    case 'board':
      return <Board />;
    default:
      return <Titled name={page.name} />;
  }
}

function Titled({ name }: { name: keyof typeof TITLES }) {
  useTitle(TITLES[name]);
  switch (name) {
    case 'alerts':
      return <Alerts />;
    case 'silences':
      return <Silences />;
    case 'dead-letters':
      return <DeadLetters />;
    case 'system':
      return <SystemPage />;
  }
}

function Nowhere() {
  useTitle('Nothing here');
  return (
    <Empty shape="search" title="Nothing is at this address">
      <p>
        <a class="button" href="/">
          Go to the board
        </a>
      </p>
    </Empty>
  );
}
