// What responders and operators do.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { alertOf, open, row, unique } from './browser.mjs';

let stage;
before(async () => (stage = await open()));
after(() => stage.close());

test('an incident is declared, with its labels, and everybody sees it', async () => {
  const title = unique('Call');
  const page = await stage.page();
  const other = await stage.tab(page, '/');
  await page.getByRole('button', { name: 'Declare' }).click();
  const dialog = page.getByRole('dialog', { name: 'Declare an incident' });
  await dialog.getByLabel('Title').fill(title);
  await dialog.getByLabel('What is known').fill('Customers call.');
  await dialog.getByRole('radio', { name: /critical/ }).check();
  await dialog.getByRole('button', { name: 'Add a label' }).click();
  await dialog.getByLabel('Name of label 1').fill('team');
  await dialog.getByLabel('Value of label 1').fill('web');
  await dialog.getByRole('button', { name: 'Declare', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  await page.getByText('Customers call.').waitFor();
  await row(other, title).getByText('critical').waitFor();
  await row(other, title).getByText('web').waitFor();
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
  const notices = page.getByRole('region', { name: 'Notifications' });
  await notices.getByText('delivered').waitFor();
  await notices.getByText('1 attempt').click();
  await notices.getByText('200', { exact: true }).waitFor();
  await page.context().close();
});

test('a session is asked for, kept and ended', async () => {
  const page = await stage.page({ as: null, path: '/silences?expired=true' });
  await page.waitForURL('**/sign-in?next=*');
  await page.getByLabel('API token').fill('wrong');
  await page.getByRole('button', { name: 'Sign in with a token' }).click();
  await page.getByRole('alert').getByText('This token is not known.').waitFor();
  await page.getByLabel('API token').fill(stage.tokens.demo);
  await page.getByRole('button', { name: 'Sign in with a token' }).click();
  await page.waitForURL('**/silences?expired=true');
  assert.equal(await page.evaluate(() => document.cookie), '', 'scripts cannot read the cookie');
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Silences' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/sign-in');
  await page.context().close();
});

test('a command that is only accepted is shown as waiting until it is done', async () => {
  const title = unique('Slow');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  await page.getByRole('button', { name: 'Acknowledge' }).waitFor();
  await stage.without(
    'worker-1',
    async () => {
      await page.getByRole('button', { name: 'Acknowledge' }).click();
      await page.getByRole('status').getByText('sent, waiting').waitFor();
    },
    ['pause', 'resume'],
  );
  await page.getByRole('region', { name: 'Timeline' }).getByText(/^Acknowledged by/).waitFor();
  await page.getByRole('status').getByText('sent, waiting').waitFor({ state: 'detached' });
  await page.context().close();
});

test('a refusal says why and what to do, keeps what was typed, and is repeated as the same command', async () => {
  const title = unique('Refused');
  await stage.send(alertOf(title));
  const page = await stage.page();
  await row(page, title).click();
  await page.getByRole('button', { name: 'Note' }).click();
  const keys = [];
  page.on('request', (request) => request.url().endsWith('/notes') && keys.push(request.headers()['idempotency-key']));
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('For the timeline').fill('Twice?');
  await stage.without('redis', async () => {
    await dialog.getByRole('button', { name: 'Add note' }).click();
    await dialog.getByText('Actions wait for Redis.').waitFor();
    await dialog.getByText('Request id').waitFor();
  });
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('region', { name: 'Timeline' }).getByText('Twice?').waitFor();
  assert.ok(keys.length >= 2 && keys.every((key) => key === keys[0]), 'a repeat goes under the same key: it is done once');
  await page.context().close();
});

test('dead letters and dead notifications are looked at and redriven', async () => {
  const title = unique('Unpaid');
  const envelope = { v: '9', id: randomUUID(), received_at: new Date().toISOString(), source: 'generic', integration: 'default', body: JSON.stringify({ title }) };
  await stage.backstage.redis('XADD', 'tocsin:v1:{0}:events', '*', ...Object.entries(envelope).flat());
  await stage.send(alertOf(title, { labels: { team: 'payments' } }));
  const page = await stage.page({ as: 'admin', path: '/dead-letters' });
  const letter = page.getByRole('list', { name: 'Entries' }).getByRole('listitem').filter({ hasText: title });
  await letter.locator('summary').click();
  await letter.getByText('"v": "9"').waitFor();
  await letter.getByRole('button', { name: 'Redrive' }).click();
  await page.getByText(/goes through the inbox again/).waitFor();
  await page.getByRole('link', { name: 'Notifications' }).click();
  const dead = page.getByRole('list', { name: 'Dead notifications' }).getByRole('listitem').filter({ hasText: 'payments-oncall' });
  await dead.first().getByText('1 attempt').click();
  await dead.first().getByText('the channel was archived').last().waitFor();
  await page.getByRole('button', { name: /Redrive all/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: /^Redrive \d/ }).click();
  await page.getByText('They are told again.').waitFor();
  await page.context().close();
});

test('the system page tells what every part does', async () => {
  await stage.send(alertOf(unique('System')));
  const page = await stage.page({ path: '/system' });
  for (const name of ['ingest', 'worker', 'notifier', 'api']) {
    await page.getByRole('region', { name: 'Services' }).getByRole('heading', { name: new RegExp(`^${name}`) }).first().waitFor();
  }
  for (const name of ['events', 'commands', 'notifications']) {
    await page.getByRole('region', { name: 'Streams' }).getByRole('heading', { name }).waitFor();
  }
  await page.getByRole('region', { name: 'Receivers' }).getByText('payments-oncall').waitFor();
  await page.getByRole('img', { name: /^lag/ }).first().waitFor();
  await page.context().close();
});

test('who may only read is offered nothing else', async () => {
  const title = unique('Reader');
  await stage.send(alertOf(title));
  const page = await stage.page({ as: 'reader' });
  await row(page, title).focus();
  await page.keyboard.press('a');
  await page.getByText('Your token may only read.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Declare' }).count(), 0);
  await page.keyboard.press('Enter');
  await page.getByText(/may read, not respond/).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Resolve' }).count(), 0);
  await page.context().close();
});

test('no policy was breached, no script failed, and no request left', () => stage.assertClean());
