// Everything by the keyboard alone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { alertOf, open, row, unique } from './browser.mjs';

let stage;
before(async () => (stage = await open()));
after(() => stage.close());

/** Presses Tab until what has the focus is so named. */
async function tabTo(page, name) {
  for (let presses = 0; presses < 60; presses += 1) {
    const focused = await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '');
    if (focused.includes(name)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not lead to ${name}`);
}

test('an incident is found, opened, acknowledged, noted, silenced and resolved without a mouse', async () => {
  const title = unique('Keys');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).waitFor();

  // Found.
  await page.keyboard.press('/');
  await page.keyboard.type(title);
  await page.waitForURL(/q=Keys/);
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  assert.ok(await row(page, title).evaluate((link) => link === document.activeElement));
  await page.keyboard.press('a');
  await row(page, title).getByText('acknowledged').waitFor();
  assert.ok(await row(page, title).evaluate((link) => link === document.activeElement), 'it stays selected when it changes');

  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  const timeline = page.getByRole('region', { name: 'Timeline' });
  await page.keyboard.press('n');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.type('Looking at it.');
  await page.keyboard.press('Control+Enter');
  await timeline.getByText('Looking at it.').waitFor();

  await page.keyboard.press('s');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('1 alert that fires matches now.').waitFor();
  await tabTo(page, 'Add a label');
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.evaluate(() => document.activeElement.value), '3600', 'an arrow chooses another length');
  await page.keyboard.press('Tab');
  await page.keyboard.type('Known, OPS-7.');
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });

  await page.keyboard.press('r');
  await dialog.waitFor();
  await page.keyboard.type('It was the disk.');
  await page.keyboard.press('Control+Enter');
  await timeline.getByText(/^Resolved by .*: It was the disk\.$/).waitFor();

  await page.keyboard.press('g');
  await page.keyboard.press('s');
  await page.getByRole('heading', { level: 1, name: 'Silences' }).waitFor();
  const silence = page.getByRole('listitem').filter({ hasText: `alertname="${title}"` });
  await silence.getByText('Known, OPS-7.').waitFor();
  await page.context().close();
});

test('an incident that no alert tells of is declared by the keyboard', async () => {
  const title = unique('Declared');
  const page = await stage.page();
  await page.keyboard.press('c');
  await page.getByRole('dialog', { name: 'Declare an incident' }).waitFor();
  await page.keyboard.type(title);
  await page.keyboard.press('Control+Enter');
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  await page.getByText('somebody declared it by hand').waitFor();
  await page.context().close();
});

test('keys go to every page, and help and search open and close', async () => {
  const page = await stage.page();
  for (const [key, heading] of [['a', 'Alerts'], ['s', 'Silences'], ['d', 'Dead letters'], ['y', 'System'], ['b', 'Board']]) {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  }
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByLabel('Search titles').waitFor();
  await page.keyboard.press('/');
  // As slowly as what was typed takes to come back as the address.
  await page.keyboard.type('jar', { delay: 255 });
  assert.equal(await page.getByLabel('Search titles').inputValue(), 'jar', 'keys are letters in a field');
  await page.keyboard.press('Escape');
  await page.waitForURL('**/?q=jar');
  await page.context().close();
});

test('a dialog keeps the focus and gives it back', async () => {
  const title = unique('Focus');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  const button = page.getByRole('button', { name: 'Severity…' });
  await button.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  for (let presses = 0; presses < 12; presses += 1) {
    await page.keyboard.press('Tab');
    const place = await page.evaluate(() => (document.activeElement === document.body || document.activeElement.closest('dialog') ? 'in' : 'out'));
    assert.equal(place, 'in');
  }
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.ok(await button.evaluate((element) => element === document.activeElement));
  await page.context().close();
});

test('no policy was breached, no script failed, and no request left', () => stage.assertClean());
