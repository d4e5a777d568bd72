// What changes by itself: alerts that arrive, what others do, and an api that goes away and comes back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { alertOf, open, row, unique } from './browser.mjs';

let stage;
before(async () => (stage = await open()));
after(() => stage.close());

const LOST = 'The live connection is lost.';

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
  await page.getByRole('region', { name: 'Timeline' }).getByText(/resolved/i).first().waitFor();
  await page.getByRole('button', { name: 'Reopen' }).waitFor();
  await page.context().close();
});

for (const forgets of [false, true]) {
  test(`a restart of the api is shown, and what came meanwhile is there afterwards${forgets ? ', even if nobody knows what was missed' : ''}`, async () => {
    const page = await stage.page();
    const loads = [];
    page.on('framenavigated', () => loads.push(1));
    const [before, meanwhile, afterwards] = ['Before', 'Meanwhile', 'After'].map(unique);
    await stage.send(alertOf(before));
    await row(page, before).waitFor();
    const resumed = page.waitForRequest((request) => request.url().endsWith('/api/v1/events') && 'last-event-id' in request.headers());
    await stage.without('api-1', async () => {
      await page.getByText(LOST).waitFor();
      // The front door accepts while the api is away; the board cannot know.
      await stage.send(alertOf(meanwhile));
      assert.equal(await row(page, meanwhile).count(), 0);
      if (forgets) await stage.backstage.redis('XTRIM', 'tocsin:v1:changes', 'MAXLEN', '0');
    });
    await row(page, meanwhile).waitFor();
    await page.getByText(LOST).waitFor({ state: 'detached' });
    await page.getByText('live', { exact: true }).waitFor();
    await resumed;
    await stage.send(alertOf(afterwards));
    await row(page, afterwards).waitFor();
    assert.equal(loads.length, 0, 'without a reload');
    await page.context().close();
  });
}

test('while Redis is away the board stays live, and says why nothing can be done', async () => {
  const title = unique('NoRedis');
  const page = await stage.page();
  await stage.without('redis', async () => {
    await stage.send(alertOf(title));
    await row(page, title).waitFor();
    await row(page, title).focus();
    await page.keyboard.press('a');
    await page.getByText('Actions wait for Redis.').waitFor();
  });
  await page.keyboard.press('a');
  await row(page, title).getByText('acknowledged').waitFor();
  await page.context().close();
});

test('no policy was breached, no script failed, and no request left', () => stage.assertClean());
