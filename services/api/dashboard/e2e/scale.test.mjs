// A board with more on it than is loaded at once, and tabs that nobody looks at.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onMock, open } from './browser.mjs';

const skip = onMock ? false : 'would fill a real Tocsin with hundreds of incidents';
let stage;
before(async () => (stage = await open({ empty: true })));
after(() => stage.close());

const LOW = 280;
const rows = (page) => page.getByRole('list', { name: 'Incidents' }).getByRole('link');

test('the worst is on the board even if hundreds are newer', { skip }, async () => {
  await stage.send({ title: 'Old and bad', severity: 'critical', labels: { alertname: 'Old and bad' } });
  const alerts = Array.from({ length: LOW }, (_, index) => ({ title: `Low ${index}`, severity: 'info', labels: { alertname: `Low ${index}` } }));
  await stage.send({ alerts });
  const page = await stage.page();
  await rows(page).first().waitFor();
  assert.match(await rows(page).first().innerText(), /Old and bad/);
  assert.equal(await rows(page).count(), 251);
  await page.getByText(`251 of ${LOW + 1}`).waitFor();
  await page.getByRole('button', { name: 'Load more' }).click();
  await page.getByRole('button', { name: 'Load more' }).waitFor({ state: 'detached' });
  assert.equal(await rows(page).count(), LOW + 1);
  await page.context().close();
});

test('a storm arrives without a reload, and the page stays usable', { skip }, async () => {
  const page = await stage.page({ path: '/?q=storm' });
  await page.getByText('No incident matches these filters').waitFor();
  const began = Date.now();
  const alerts = Array.from({ length: 400 }, (_, index) => ({ title: `Storm ${index}`, severity: 'warning', labels: { alertname: `Storm ${index}` } }));
  await stage.send({ alerts });
  await page.getByText('400 open').waitFor();
  await page.keyboard.press('j');
  assert.ok(await rows(page).first().evaluate((link) => link === document.activeElement));
  assert.ok(Date.now() - began < 10_000, `it took ${Date.now() - began} ms`);
  await page.context().close();
});

test('a page that nobody looks at lets go of its connection, and catches up once it is looked at', { skip }, async () => {
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
  await stage.send({ title: 'Unseen', labels: { alertname: 'Unseen' } });
  await look(false);
  await page.getByText('live', { exact: true }).waitFor();
  await page.clock.resume();
  await page.getByRole('list', { name: 'Alerts' }).getByRole('link', { name: 'Unseen', exact: true }).waitFor();
  await page.context().close();
});
