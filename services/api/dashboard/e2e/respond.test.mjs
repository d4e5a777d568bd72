// What responders do, with the mouse and with the keyboard alone.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ADMIN_TOKEN, onMock, open, unique } from './browser.mjs';

let stage;
before(async () => (stage = await open()));
after(() => stage.close());

const alertOf = (title, labels = {}) => ({ title, severity: 'critical', labels: { alertname: title, team: 'e2e', ...labels } });
const row = (page, title) => page.getByRole('list', { name: 'Incidents' }).getByRole('link', { name: title });

test('the keyboard alone takes an incident from the board to its end', async () => {
  const title = unique('Keys');
  await stage.send(alertOf(title));
  const page = await stage.page({ path: `/?label=${encodeURIComponent(`alertname=${title}`)}` });
  await row(page, title).waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('a');
  await row(page, title).getByText('acknowledged').waitFor();
  assert.ok(await row(page, title).evaluate((link) => link === document.activeElement), 'it stays selected when it moves');

  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  await page.keyboard.press('n');
  await page.getByRole('dialog').getByLabel('For the timeline').fill('Looking at it.');
  await page.keyboard.press('Control+Enter');
  await page.getByRole('region', { name: 'Timeline' }).getByText('Looking at it.').waitFor();

  await page.keyboard.press('r');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.type('It was the disk.');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'Timeline' }).getByText(/^Resolved by .*: It was the disk\.$/).waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('b');
  await page.getByRole('heading', { level: 1, name: 'Board' }).waitFor();
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
  await page.keyboard.press('/');
  await page.keyboard.type('jar');
  assert.equal(await page.getByLabel('Search titles').inputValue(), 'jar', 'keys are letters in a field');
  await page.keyboard.press('Escape');
  await page.waitForURL('**/?q=jar');
  await page.context().close();
});

test('a button does what it says by Enter and by Space, whatever keys mean elsewhere', async () => {
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

test('a filter link reproduces the view', async () => {
  const [title, other] = [unique('Filter'), unique('Other')];
  await stage.send(alertOf(title, { run: title }));
  await stage.send(alertOf(other, { run: other }));
  const page = await stage.page();
  await row(page, other).waitFor();
  await page.getByLabel('Label to filter by, as name=value').fill(`run=${title}`);
  await page.keyboard.press('Enter');
  await page.getByRole('combobox', { name: 'Severity' }).selectOption('critical');
  await page.getByLabel('Search titles').fill('filt');
  await row(page, other).waitFor({ state: 'detached' });
  await page.waitForURL(/q=filt/);
  const again = await stage.tab(page, page.url().slice(stage.base.length));
  await row(again, title).waitFor();
  assert.equal(await again.getByRole('list', { name: 'Incidents' }).getByRole('link').count(), 1);
  assert.equal(await again.getByLabel('Search titles').inputValue(), 'filt');
  assert.equal(await again.getByRole('combobox', { name: 'Severity' }).inputValue(), 'critical');
  await again.getByRole('button', { name: `Remove the filter run=${title}` }).waitFor();
  await page.context().close();
});

test('a silence is made of an alert’s labels, ended and deleted', async () => {
  const title = unique('Noise');
  await stage.send(alertOf(title));
  const page = await stage.page({ path: `/alerts?q=${encodeURIComponent(title)}` });
  await page.getByRole('list', { name: 'Alerts' }).getByRole('link', { name: title, exact: true }).click();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  await page.keyboard.press('s');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('1 alert that fires matches now.').waitFor();
  await dialog.getByRole('radio', { name: '30 min' }).check();
  await dialog.getByLabel('Why').fill('Known.');
  await dialog.getByRole('button', { name: 'Silence', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.goto(`${stage.base}/silences`);
  const silence = page.getByRole('listitem').filter({ hasText: `alertname="${title}"` }).filter({ hasText: 'Known.' });
  await silence.getByText('active').waitFor();
  await silence.getByRole('button', { name: 'End now' }).click();
  await silence.waitFor({ state: 'detached' });
  await page.getByLabel('Show those that are over').check();
  await silence.getByText('expired').waitFor();
  await silence.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await silence.waitFor({ state: 'detached' });
  await page.context().close();
});

test('severity, cancel and reopen do what they say', async () => {
  const title = unique('Change');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  await page.getByRole('button', { name: 'Severity…' }).click();
  await page.getByRole('dialog').getByRole('radio', { name: /low/ }).check();
  await page.getByRole('dialog').getByRole('button', { name: 'Set' }).click();
  await page.getByRole('region', { name: 'Timeline' }).getByText(/from critical to low/).waitFor();
  await page.getByRole('button', { name: 'Cancel…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'It was none' }).click();
  await page.getByRole('button', { name: 'Reopen' }).click();
  await page.getByRole('button', { name: 'Acknowledge' }).waitFor();
  await page.context().close();
});

test('why an incident exists, and who was told, is on its page', async () => {
  const title = unique('Why');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  await page.getByText('Why it is so').click();
  await page.getByText('It opened the incident').waitFor();
  await page.getByRole('region', { name: 'Why' }).getByText(`alertname="${title}"`).first().waitFor();
  await page.getByRole('region', { name: 'Notifications' }).waitFor();
  await page.context().close();
});

test('a session is asked for, kept and ended', async () => {
  const page = await stage.page({ token: null, path: '/silences?expired=true' });
  await page.waitForURL('**/sign-in?next=*');
  await page.getByLabel('API token').fill('wrong');
  await page.getByRole('button', { name: 'Sign in with a token' }).click();
  await page.getByRole('alert').getByText('This token is not known.').waitFor();
  await page.getByLabel('API token').fill(process.env.TOKEN ?? 'demo');
  await page.getByRole('button', { name: 'Sign in with a token' }).click();
  await page.waitForURL('**/silences?expired=true');
  assert.equal(await page.evaluate(() => document.cookie), '', 'scripts cannot read the cookie');
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Silences' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/sign-in');
  await page.context().close();
});

test('a command that is only accepted is shown as waiting until it is done', { skip: onMock ? false : 'needs the mock’s slow worker' }, async () => {
  const title = unique('Slow');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  await page.getByRole('button', { name: 'Acknowledge' }).waitFor();
  await stage.control('slow', { accept: true });
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByRole('status').getByText('sent, waiting').waitFor();
  await page.getByRole('region', { name: 'Timeline' }).getByText(/^Acknowledged by/).waitFor();
  await page.getByRole('status').getByText('sent, waiting').waitFor({ state: 'detached' });
  await stage.control('slow', { accept: false });
  await page.context().close();
});

test('a refusal says why and what to do, and keeps what was typed', { skip: onMock ? false : 'breaks the way to the api' }, async () => {
  const title = unique('Refused');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  await page.getByRole('button', { name: 'Note' }).click();
  const keys = [];
  await page.route('**/notes', (route) => {
    keys.push(route.request().headers()['idempotency-key']);
    const problem = { code: 'redis_unavailable', detail: 'Redis did not answer in time', request_id: 'r-77', status: 503 };
    return keys.length > 1 ? route.continue() : route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify(problem) });
  });
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('For the timeline').fill('Twice?');
  await dialog.getByRole('button', { name: 'Add note' }).click();
  await dialog.getByText('r-77').waitFor();
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('region', { name: 'Timeline' }).getByText('Twice?').waitFor();
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1], 'a repeat goes under the same key: it is done once');
  await page.context().close();
});

test('dead letters and dead notifications are looked at and redriven', { skip: onMock && ADMIN_TOKEN ? false : 'needs dead letters' }, async () => {
  const page = await stage.page({ token: ADMIN_TOKEN, path: '/dead-letters' });
  const letter = page.getByRole('listitem').filter({ hasText: 'names no action' });
  await letter.locator('summary').click();
  await letter.getByText('"v": "1"').waitFor();
  await letter.getByRole('button', { name: 'Redrive' }).click();
  await letter.waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Notifications' }).click();
  await page.getByText('3 attempts').click();
  await page.getByText('service_unavailable').first().waitFor();
  await page.getByRole('button', { name: /Redrive all/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Redrive 1' }).click();
  await page.getByText('No notification is dead').waitFor();
  await page.context().close();
});

test('who may only read is offered nothing else', { skip: onMock ? false : 'needs a reader’s token' }, async () => {
  const page = await stage.page({ token: 'reader' });
  await page.keyboard.press('j');
  await page.keyboard.press('a');
  await page.getByText('Your token may only read.').waitFor();
  await page.keyboard.press('Enter');
  await page.getByText(/may read, not respond/).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Resolve' }).count(), 0);
  await page.context().close();
});

test('no policy was breached, and no script failed', () => {
  assert.deepEqual([stage.violations, stage.errors], [[], []]);
});
