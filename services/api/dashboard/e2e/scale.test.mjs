// A board with more on it than is loaded at once, and tabs that nobody looks at.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { alertOf, open, unique } from './browser.mjs';

let stage;
before(async () => (stage = await open()));
after(() => stage.close());

const LOW = 280;
const STORM = 400;
const rows = (page) => page.getByRole('list', { name: 'Incidents' }).getByRole('link');
const many = (count, word, run, severity) => ({ alerts: Array.from({ length: count }, (_, index) => alertOf(`${word} ${index} of ${run}`, { severity, labels: { run } })) });

test('the worst is on the board even if hundreds are newer', async () => {
  const run = unique('Low');
  const path = `incidents?status=triggered&label=${encodeURIComponent(`run=${run}`)}`;
  await stage.send(alertOf(`Old and bad ${run}`, { labels: { run } }));
  await stage.until(path, ({ total }) => total === 1);
  await stage.send(many(LOW, 'Low', run, 'info'));
  await stage.until(path, ({ total }) => total === LOW + 1);
  const page = await stage.page({ path: `/?label=${encodeURIComponent(`run=${run}`)}` });
  await rows(page).first().waitFor();
  assert.match(await rows(page).first().innerText(), /Old and bad/);
  assert.equal(await rows(page).count(), 251);
  await page.getByText(`251 of ${LOW + 1}`).waitFor();
  await page.getByRole('button', { name: 'Load more' }).click();
  // The button goes while it loads, too.
  await rows(page).nth(LOW).waitFor();
  await page.getByRole('button', { name: 'Load more' }).waitFor({ state: 'detached' });
  assert.equal(await rows(page).count(), LOW + 1);
  await page.context().close();
});

test('a storm arrives without a reload, and the page stays usable', async () => {
  const run = unique('Storm');
  const page = await stage.page({ path: `/?label=${encodeURIComponent(`run=${run}`)}` });
  await page.getByText('No incident matches these filters').waitFor();
  const began = Date.now();
  await stage.send(many(STORM, 'Storm', run, 'warning'));
  await page.getByText(`${STORM} open`).waitFor();
  await page.keyboard.press('j');
  assert.ok(await rows(page).first().evaluate((link) => link === document.activeElement));
  assert.ok(Date.now() - began < 10_000, `it took ${Date.now() - began} ms`);
  await page.context().close();
});

test('a page that nobody looks at lets go of its connection, and catches up once it is looked at', async () => {
  const title = unique('Unseen');
  const page = await stage.page({ path: '/alerts' });
  await page.clock.install();
  await page.reload();
  await page.getByText('live', { exact: true }).waitFor();
  const look = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  await look(true);
  await page.clock.runFor(40_000);
  await page.getByText('paused', { exact: true }).waitFor();
  assert.equal(await page.getByText('The live connection is lost.').count(), 0, 'nothing is wrong');
  await stage.send(alertOf(title));
  await stage.until(`alerts?q=${encodeURIComponent(title)}`, ({ total }) => total === 1);
  await look(false);
  await page.getByText('live', { exact: true }).waitFor();
  await page.clock.resume();
  await page.getByRole('list', { name: 'Alerts' }).getByRole('link', { name: title, exact: true }).waitFor();
  await page.context().close();
});

test('no policy was breached, no script failed, and no request left', () => stage.assertClean());
