// A browser, the Tocsin that it looks at, and what tests do with both.
//
// `run.mjs` starts the Tocsin and describes it in TOCSIN_STAGE. The browser is `chromium` in PATH, or what CHROMIUM names.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';
import { Backstage } from './tocsin.mjs';

/** The longest that a page may take to show what it should, in milliseconds, on a busy machine. */
const PATIENCE_MS = 15_000;
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-dev-shm-usage'];

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const found = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name))).find(existsSync);
  if (!found) throw new Error('no browser: install chromium, or name one in CHROMIUM');
  return found;
}

/** A browser with an empty profile, in front of the Tocsin that is described. */
export async function open(description = JSON.parse(process.env.TOCSIN_STAGE ?? 'null')) {
  if (!description) throw new Error('there is no Tocsin to look at: run `npm run e2e`, or `node e2e/run.mjs FILE…`');
  const profile = await mkdtemp(join(tmpdir(), 'tocsin-browser-'));
  const first = await chromium.launchPersistentContext(profile, { executablePath: findChromium(), args: FLAGS, headless: true, viewport: { width: 1280, height: 800 } });
  return new Stage(description, first, profile);
}

export class Stage {
  constructor({ url, tokens, key, state, issuer }, first, profile) {
    Object.assign(this, { base: url, tokens, key, issuer, first, profile, browser: first.browser() ?? first });
    Object.assign(this, { violations: [], errors: [], outside: [], sessions: new Map() });
    this.backstage = new Backstage({ state });
  }

  /** The session of a token, which is begun once: an address has ten attempts a minute. */
  async session(name) {
    if (!this.sessions.has(name)) {
      const response = await fetch(`${this.base}/api/v1/session`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-Tocsin-Client': 'test' },
        body: JSON.stringify({ token: this.tokens[name] }),
      });
      assert.equal(response.status, 200, await response.text());
      const [pair] = response.headers.get('set-cookie').split(';');
      this.sessions.set(name, pair.slice(pair.indexOf('=') + 1));
    }
    return this.sessions.get(name);
  }

  /** A page of a browser context of its own, signed in by the token of that name unless it is null. */
  async page({ as = 'demo', theme = 'light', width = 1280, height = 800, path = '/', reduced = true, scale = 1 } = {}) {
    const context = await this.browser.newContext({
      viewport: { width, height },
      deviceScaleFactor: scale,
      colorScheme: theme,
      reducedMotion: reduced ? 'reduce' : 'no-preference',
      locale: 'en-GB',
      timezoneId: 'Europe/Berlin',
    });
    if (as !== null) await context.addCookies([{ name: 'tocsin_session', value: await this.session(as), url: this.base, httpOnly: true, sameSite: 'Strict' }]);
    const page = await context.newPage();
    await this.show(page, path, as !== null);
    return page;
  }

  /** Another tab of the same person. */
  async tab(page, path) {
    const other = await page.context().newPage();
    await this.show(other, path, true);
    return other;
  }

  async show(page, path, live) {
    page.setDefaultTimeout(PATIENCE_MS);
    this.watch(page);
    await page.goto(this.base + path);
    if (live) await page.getByText('live', { exact: true }).waitFor();
  }

  /** Shows a page whole: with its data loaded, and with what is folded away. */
  async visit(page, path) {
    await page.goto(this.base + path);
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    await page.locator('.loading').first().waitFor({ state: 'detached' });
    for (const summary of await page.locator('summary:visible').all()) await summary.click();
    await page.locator('.loading').first().waitFor({ state: 'detached' });
    // What a sticky bar covers is a matter of how far one has scrolled.
    await page.evaluate(() => window.scrollTo(0, 0));
  }

  /** Notes every breach of the policy, every error of a script, and every request that leaves. */
  watch(page) {
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/i.test(message.text())) this.violations.push(message.text());
    });
    page.on('dialog', (dialog) => {
      this.errors.push(`a script ran that a sender gave: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.context().on('request', (request) => {
      const url = request.url();
      const isExpected = [`${this.base}/`, `${this.issuer}/authorize`, 'data:'].some((start) => url.startsWith(start));
      if (!isExpected) this.outside.push(url);
    });
  }

  /** Fails if a policy was breached, a script failed, or a request left. */
  assertClean() {
    assert.deepEqual({ violations: this.violations, errors: this.errors, outside: this.outside }, { violations: [], errors: [], outside: [] });
  }

  /** Sends something as a monitoring system does. */
  async send(body, path = 'v1/webhooks/generic', headers = {}) {
    const response = await fetch(`${this.base}/api/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
    assert.ok(response.ok, `${path} was answered ${response.status}: ${await response.text()}`);
  }

  /** Says who comes to the provider next; nobody may come in from there while it is null. */
  async comes(claims) {
    const response = await fetch(`${this.issuer}/next`, { method: 'POST', body: new URLSearchParams({ claims: JSON.stringify(claims) }) });
    assert.equal(response.status, 200);
  }

  /** Calls the API as a script does; gives what it answers. */
  async api(method, path, content, { as = 'admin', headers = {} } = {}) {
    const init = { method, headers: { Authorization: `Bearer ${this.tokens[as]}`, 'Content-Type': 'application/json', ...headers } };
    if (content !== undefined) init.body = JSON.stringify(content);
    const response = await fetch(`${this.base}/api/v1/${path}`, init);
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path} was answered ${response.status}: ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  /** Asks again and again until the API's answer is as it should be. */
  async until(path, isSo, options) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const answer = await this.api('GET', path, undefined, options);
      if (isSo(answer)) return answer;
      assert.ok(Date.now() < end, `${path} stays ${JSON.stringify(answer).slice(0, 500)}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** Has a process away, does something meanwhile, and has it back. */
  async without(name, meanwhile, [away, back] = ['stop', 'start']) {
    await this.backstage.act(away, name);
    try {
      await meanwhile();
    } finally {
      await this.backstage.act(back, name);
    }
  }

  async close() {
    await this.browser.close();
    await this.first.close().catch(() => {});
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

let sent = 0;
/** A title that no other test has used. */
export const unique = (word) => `${word} ${process.pid}-${(sent += 1)}`;

/** An alert of the generic source that is an incident of its own. */
export const alertOf = (title, { labels = {}, ...more } = {}) => ({ title, severity: 'critical', labels: { alertname: title, team: 'e2e', ...labels }, ...more });

/** The row of an incident on the board. */
export const row = (page, title) => page.getByRole('list', { name: 'Incidents' }).getByRole('link', { name: title });
