// What changes by itself: alerts that arrive, what others do, and a server that goes away and comes back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { onMock, open, unique } from './browser.mjs';

let stage;
before(async () => (stage = await open()));
after(() => stage.close());

const row = (page, title) => page.getByRole('list', { name: 'Incidents' }).getByRole('link', { name: title });
const alertOf = (title, more = {}) => ({ title, severity: 'critical', labels: { alertname: title, team: 'e2e' }, ...more });

test('an alert that is sent appears without a reload, at its place', async () => {
  const page = await stage.page();
  const loads = [];
  page.on('framenavigated', () => loads.push(1));
  const [low, critical] = [unique('Low'), unique('Critical')];
  await stage.send(alertOf(low, { severity: 'info' }));
  await row(page, low).waitFor();
  await stage.send(alertOf(critical));
  await row(page, critical).waitFor();
  const titles = await page.getByRole('list', { name: 'Incidents' }).getByRole('link').allInnerTexts();
  const place = (title) => titles.findIndex((text) => text.includes(title));
  assert.ok(place(critical) < place(low), 'the worst comes first');
  assert.equal(loads.length, 0);
  await page.context().close();
});

test('what is acknowledged in one tab changes in another', async () => {
  const title = unique('Shared');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  const other = await stage.tab(page, '/');
  await row(other, title).getByText('triggered').waitFor();
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await row(other, title).getByText('acknowledged').waitFor();
  await page.getByRole('region', { name: 'Timeline' }).getByText(/^Acknowledged by/).waitFor();
  await page.context().close();
});

test('an incident goes away when its alert resolves, and its page tells', async () => {
  const title = unique('Passing');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  const board = await stage.tab(page, '/');
  await row(board, title).waitFor();
  await stage.send(alertOf(title, { status: 'resolved' }));
  await row(board, title).waitFor({ state: 'detached' });
  await page.getByRole('region', { name: 'Timeline' }).getByText('All alerts are resolved').waitFor();
  await page.getByRole('button', { name: 'Reopen' }).waitFor();
  await page.context().close();
});

for (const forget of onMock ? [false, true] : [false]) {
  test(`a restart of the server is shown and survived${forget ? ', even if it forgets what it has sent' : ''}`, async () => {
    const page = await stage.page();
    const title = unique('After');
    await stage.outage(() => page.getByText('The live connection is lost.').waitFor(), { forget });
    await page.getByText('The live connection is lost.').waitFor({ state: 'detached', timeout: 60_000 });
    await page.getByText('live', { exact: true }).waitFor();
    await stage.send(alertOf(title));
    await row(page, title).waitFor();
    await page.context().close();
  });
}

test('what happened while the connection was lost is there afterwards', { skip: onMock ? false : 'needs a front door that accepts while the api is away' }, async () => {
  const page = await stage.page();
  const title = unique('Meanwhile');
  await page.route('**/api/v1/events', (route) => route.abort());
  await stage.outage(() => page.getByText('The live connection is lost.').waitFor());
  // The server is back, and the connection is not yet.
  for (let tries = 0; ; tries += 1) {
    if (await stage.send(alertOf(title)).then(() => true, () => false)) break;
    assert.ok(tries < 100, 'the server does not come back');
    await page.waitForTimeout(100);
  }
  assert.equal(await row(page, title).count(), 0);
  await page.unroute('**/api/v1/events');
  await row(page, title).waitFor({ timeout: 30_000 });
  await page.context().close();
});

test('no policy was breached, and no script failed', () => {
  assert.deepEqual([stage.violations, stage.errors], [[], []]);
});
