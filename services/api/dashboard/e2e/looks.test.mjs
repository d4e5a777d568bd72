// What everybody must be able to see and use: contrast, names and roles, a phone's width, hostile texts.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { open, unique } from './browser.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let stage;
let incident;
let alert;
const title = unique('Looks');

before(async () => {
  stage = await open();
  await stage.send({ title, severity: 'critical', description: 'Long: ' + 'x'.repeat(300), labels: { alertname: title, path: `/${'deep/'.repeat(40)}` }, annotations: { runbook: 'https://wiki.example/r' } });
  const page = await stage.page({ path: `/?q=${encodeURIComponent(title)}` });
  const link = page.getByRole('list', { name: 'Incidents' }).getByRole('link', { name: title });
  incident = await link.getAttribute('href');
  await link.click();
  alert = await page.getByRole('region', { name: 'Alerts' }).getByRole('link', { name: title, exact: true }).getAttribute('href');
  await page.context().close();
});
after(() => stage.close());

const pages = () => ['/', '/?q=matches-nothing-at-all', incident, '/alerts', alert, '/silences?expired=true', '/dead-letters', '/dead-letters?view=notifications', '/system', '/nowhere'];

/** Shows a page whole: with what is folded away, and its data loaded. */
async function visit(page, path) {
  await page.goto(stage.base + path);
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  await page.locator('.loading').first().waitFor({ state: 'detached' });
  for (const summary of await page.locator('summary:visible').all()) await summary.click();
  await page.locator('.loading').first().waitFor({ state: 'detached' });
}

/** What axe-core finds that is serious or critical. It is evaluated by the browser's tools, not by the page: the policy stays. */
async function faults(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
}

for (const theme of ['light', 'dark']) {
  test(`axe-core finds nothing serious on any page, ${theme}`, async () => {
    const page = await stage.page({ theme });
    for (const path of pages()) {
      await visit(page, path);
      assert.deepEqual(await faults(page), [], `${theme} ${path}`);
    }
    await page.goto(stage.base + incident);
    for (const name of ['Resolve', 'Silence…', 'Severity…', 'Keys']) {
      await page.getByRole('button', { name }).click();
      await page.getByRole('dialog').waitFor();
      assert.deepEqual(await faults(page), [], `${theme} dialog ${name}`);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    await page.context().close();
    const signIn = await stage.page({ theme, token: null, path: '/sign-in' });
    await signIn.getByLabel('API token').waitFor();
    assert.deepEqual(await faults(signIn), [], `${theme} sign-in`);
    await signIn.context().close();
  });
}

test('nothing scrolls sideways on a phone', async () => {
  const page = await stage.page({ width: 360, height: 740 });
  for (const path of pages()) {
    await visit(page, path);
    const wide = await page.evaluate(() => {
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= width) return [];
      return [...document.querySelectorAll('main *')].filter((element) => element.getBoundingClientRect().right > width + 1).map((element) => element.className || element.tagName).slice(0, 5);
    });
    assert.deepEqual(wide, [], path);
  }
  await page.goto(stage.base + incident);
  await page.getByRole('button', { name: 'Silence…' }).click();
  assert.ok(await page.getByRole('dialog').evaluate((dialog) => dialog.scrollWidth <= dialog.clientWidth));
  await page.context().close();
});

test('the theme is chosen, and kept', async () => {
  const page = await stage.page({ theme: 'light' });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: /^Theme/ }).click();
  await page.getByRole('button', { name: /^Theme: light/ }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await page.getByRole('button', { name: /^Theme: dark/ }).waitFor();
  assert.equal(await ground(), dark);
  await page.context().close();
});

test('what senders write stays text', async () => {
  const evil = `<img src=x onerror=alert(1)> ${unique('"><script>alert(2)</script>')}`;
  await stage.send({ title: evil, severity: 'critical', description: evil, labels: { alertname: evil, '<b>name</b>': evil }, annotations: { runbook: 'javascript:alert(3)', note: evil } });
  const page = await stage.page();
  const link = page.getByRole('list', { name: 'Incidents' }).getByRole('link').filter({ hasText: evil });
  await link.click();
  await page.getByRole('heading', { level: 1 }).filter({ hasText: evil }).waitFor();
  const own = await page.getByRole('region', { name: 'Alerts' }).getByRole('link').filter({ hasText: evil }).first().getAttribute('href');
  await visit(page, own);
  await page.getByText('javascript:alert(3)').waitFor();
  const made = await page.evaluate(() => [document.querySelectorAll('main script, main img[src=x], main b').length, [...document.querySelectorAll('a')].filter(({ protocol }) => !protocol.startsWith('http')).length]);
  assert.deepEqual(made, [0, 0]);
  await page.context().close();
});

test('the empty board says how to send a test alert', async () => {
  const page = await stage.page();
  await page.route('**/api/v1/incidents?*', (route) => route.fulfill({ json: { data: [], total: 0, limit: 250, offset: 0, next_cursor: null } }));
  await page.reload();
  await page.getByText('All quiet').waitFor();
  await page.getByText('curl').waitFor();
  assert.deepEqual(await faults(page), []);
  await page.context().close();
});

test('a board that cannot be loaded says what happened and what to do', async () => {
  const page = await stage.page();
  const problem = { code: 'database_unavailable', detail: 'Postgres did not answer in time', request_id: 'r-99', status: 503 };
  await page.route('**/api/v1/incidents?*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) }));
  await page.reload();
  await page.getByRole('alert').getByText('r-99').waitFor();
  await page.unroute('**/api/v1/incidents?*');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('list', { name: 'Incidents' }).getByRole('link').first().waitFor();
  await page.context().close();
});

test('no policy was breached, and no script failed', () => {
  assert.deepEqual([stage.violations, stage.errors], [[], []]);
});
