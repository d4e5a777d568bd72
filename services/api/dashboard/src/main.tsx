// Starts the dashboard.

import { render } from 'preact';
import { watchWaiting } from './actions/act';
import { App } from './App';
import { listenToKeys } from './keyboard';
import { followLinks } from './router';
import { beginSession } from './session';
import { tick } from './time';

followLinks();
listenToKeys();
watchWaiting();
tick();
void beginSession();

const root = document.getElementById('app');
if (root) render(<App />, root);
