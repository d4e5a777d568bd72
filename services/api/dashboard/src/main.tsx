// Starts the dashboard.

import { render } from 'preact';
import { watchWaiting } from './actions/act';
import { App } from './App';
import { listenToKeys } from './keyboard';
import { pauseWhen } from './live/connection';
import { followLinks, here, pageOf } from './router';
import { beginSession } from './session';
import { tick } from './time';

followLinks();
listenToKeys();
watchWaiting();
tick();
// A hidden board still counts in its title.
pauseWhen(() => pageOf(here.value.path).name !== 'board');
void beginSession();

const root = document.getElementById('app');
if (root) render(<App />, root);
