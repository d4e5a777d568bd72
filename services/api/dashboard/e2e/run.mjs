// Runs the tests in a browser against a Tocsin of its own: `node e2e/run.mjs [FILE…]`, all of them unless some are named.

import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { start } from './tocsin.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
/** The longest that the tests of one file may take, in milliseconds, on a busy machine. */
const TEST_TIMEOUT_MS = 300_000;

const named = process.argv.slice(2);
// What fills the board comes last.
const order = (name) => Number(name.startsWith('scale'));
const all = (await readdir(here)).filter((name) => name.endsWith('.test.mjs')).sort((a, b) => order(a) - order(b) || a.localeCompare(b));
const files = named.length > 0 ? named : all.map((name) => `${here}${name}`);

const tocsin = await start();
const args = ['--test', '--test-concurrency=1', `--test-timeout=${TEST_TIMEOUT_MS}`, '--test-reporter=spec', ...files];
const tests = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, TOCSIN_STAGE: JSON.stringify(tocsin.description) } });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => tests.kill(signal));
const code = await new Promise((done) => tests.once('exit', (status) => done(status ?? 1)));
await tocsin.stop();
process.exitCode = code;
