// A browser, a Tocsin to look at, and what tests do with both.
//
// Without BASE_URL the mock is built and started. With it, a running Tocsin is used: TOKEN signs in (a second one with the
// scope admin, ADMIN_TOKEN, is optional), WEBHOOK_KEY is the integration's key if keyless webhooks are off, and STOP_API and
// START_API are shell commands for the test of a restart.

import { execFileSync, execSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const { BASE_URL, ADMIN_TOKEN = BASE_URL ? undefined : 'admin', TOKEN = 'demo' } = process.env;
export const onMock = !BASE_URL;
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
const root = fileURLToPath(new URL('..', import.meta.url));

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const found = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name))).find(existsSync);
  if (!found) throw new Error('no browser: install chromium, or name one in CHROMIUM');
  return found;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a mock of its own; with `empty`, one in which nothing has happened. */
async function startMock(empty) {
  const port = await freePort();
  const child = spawn(process.execPath, ['mock/server.mjs', '--port', String(port), ...(empty ? ['--empty'] : [])], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error('the mock did not start')));
  });
  const stop = () => child.kill();
  process.once('exit', stop);
  return { base: `http://127.0.0.1:${port}`, stop };
}

/** A browser with an empty profile, and a Tocsin. */
export async function open({ empty = false } = {}) {
  if (onMock && !existsSync(join(root, 'dist/index.html'))) execFileSync(process.execPath, ['build.mjs'], { cwd: root });
  const mock = onMock ? await startMock(empty) : { base: BASE_URL.replace(/\/$/, ''), stop() {} };
  const profile = await mkdtemp(join(tmpdir(), 'tocsin-browser-'));
  const first = await chromium.launchPersistentContext(profile, { executablePath: findChromium(), args: FLAGS, headless: true, viewport: { width: 1280, height: 800 } });
  const browser = first.browser() ?? first;
  return new Stage(mock, browser, first, profile);
}

class Stage {
  constructor(mock, browser, first, profile) {
    Object.assign(this, { mock, base: mock.base, browser, first, profile, violations: [], errors: [] });
  }

  /** A page of a browser context of its own, signed in unless `token` is null. */
  async page({ token = TOKEN, theme = 'light', width = 1280, height = 800, path = '/', reduced = true } = {}) {
    const context = await this.browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: reduced ? 'reduce' : 'no-preference', locale: 'en-GB', timezoneId: 'Europe/Berlin' });
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    this.watch(page);
    if (token === null) return page.goto(this.base + path).then(() => page);
    await page.goto(`${this.base}/sign-in?next=${encodeURIComponent(path)}`);
    await page.getByLabel('API token').fill(token);
    await page.getByRole('button', { name: 'Sign in with a token' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    return page;
  }

  /** Another tab of the same person. */
  async tab(page, path) {
    const other = await page.context().newPage();
    other.setDefaultTimeout(15_000);
    this.watch(other);
    await other.goto(this.base + path);
    await other.getByText('live', { exact: true }).waitFor();
    return other;
  }

  /** Notes every breach of the policy and every error of a script. */
  watch(page) {
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) this.violations.push(message.text());
    });
    page.on('dialog', (dialog) => {
      this.errors.push(`a script ran that a sender gave: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  /** Sends an alert as a monitoring system does. */
  async send(alert) {
    const key = process.env.WEBHOOK_KEY ? `/${process.env.WEBHOOK_KEY}` : '';
    const response = await fetch(`${this.base}/api/v1/webhooks/generic${key}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(alert) });
    if (!response.ok) throw new Error(`the alert was answered ${response.status}`);
  }

  /** Has the server away, does something meanwhile, and has it back. */
  async outage(meanwhile, { forget = false } = {}) {
    if (onMock) {
      const seconds = 4;
      await this.control('outage', { seconds, forget });
      await meanwhile();
      return;
    }
    const { STOP_API, START_API } = process.env;
    if (!STOP_API || !START_API) throw new Error('name the commands that stop and start the api in STOP_API and START_API');
    execSync(STOP_API, { stdio: 'inherit' });
    await meanwhile();
    execSync(START_API, { stdio: 'inherit' });
  }

  /** Tells the mock something. */
  control(what, content = {}) {
    return fetch(`${this.base}/mock/${what}`, { method: 'POST', body: JSON.stringify(content) });
  }

  async close() {
    await this.browser.close();
    this.mock.stop();
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

let sent = 0;
/** A title that no other run has used. */
export const unique = (word) => `${word} ${process.pid}-${(sent += 1)}`;
