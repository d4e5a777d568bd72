// The board's filters: the address is the view.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { alertOf, open, row, unique } from './browser.mjs';

let stage;
before(async () => (stage = await open()));
after(() => stage.close());

const links = (page) => page.getByRole('list', { name: 'Incidents' }).getByRole('link');

test('a filter link reproduces the view', async () => {
  const [title, other] = [unique('Filter'), unique('Other')];
  await stage.send(alertOf(title, { labels: { run: title } }));
  await stage.send(alertOf(other, { labels: { run: other } }));
  const page = await stage.page();
  await row(page, other).waitFor();
  await page.getByLabel('Label to filter by, as name=value').fill(`run=${title}`);
  await page.keyboard.press('Enter');
  await page.getByRole('combobox', { name: 'Severity' }).selectOption('critical');
  await page.getByLabel('Search titles').fill('filt');
  await row(page, other).waitFor({ state: 'detached' });
  await page.waitForURL(/q=filt/);
  // Somebody else's browser shows the same.
  const again = await stage.page({ as: 'reader', path: page.url().slice(stage.base.length) });
  await row(again, title).waitFor();
  assert.equal(await links(again).count(), 1);
  assert.equal(await again.getByLabel('Search titles').inputValue(), 'filt');
  assert.equal(await again.getByRole('combobox', { name: 'Severity' }).inputValue(), 'critical');
  await again.getByRole('button', { name: `Remove the filter run=${title}` }).waitFor();
  await again.context().close();
  await page.context().close();
});

test('matchers filter as they do in silences, and what arrives is held against them', async () => {
  const run = unique('Matcher');
  const [one, two, three] = ['a', 'b', 'c'].map((zone) => [zone, unique(`Zone ${zone}`)]);
  const send = ([zone, title]) => stage.send(alertOf(title, { labels: { run, zone } }));
  await send(one);
  const page = await stage.page({ path: `/?label=${encodeURIComponent(`run=${run}`)}&label=${encodeURIComponent('zone=~a|b')}` });
  await row(page, one[1]).waitFor();
  await send(three);
  await send(two);
  await row(page, two[1]).waitFor();
  assert.equal(await links(page).count(), 2, 'c does not match');
  await page.getByRole('button', { name: 'Remove the filter zone=~a|b' }).click();
  await row(page, three[1]).waitFor();
  await page.getByLabel('Label to filter by, as name=value').fill('zone!=a');
  await page.keyboard.press('Enter');
  await row(page, one[1]).waitFor({ state: 'detached' });
  assert.equal(await links(page).count(), 2);
  await page.context().close();
});

test('a count is a filter, by Enter and by Space, whatever keys mean elsewhere', async () => {
  const title = unique('Count');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).waitFor();
  await page.getByRole('button', { name: /critical/ }).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL('**/?severity=critical');
  await page.keyboard.press('Space');
  await page.waitForURL(`${stage.base}/`);
  await page.context().close();
});

test('no policy was breached, no script failed, and no request left', () => stage.assertClean());
