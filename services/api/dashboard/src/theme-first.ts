// Runs before anything is painted, so that a dark screen is not lit up first.

import { applyTheme, chosenTheme } from './theme-choice';

applyTheme(chosenTheme());
