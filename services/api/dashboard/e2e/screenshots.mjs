// Takes the pictures of docs/images/dashboard from a Tocsin of its own: each page in light, in dark and on a phone.
// `npm run screenshots`; look at them before they are committed.

import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import { open } from './browser.mjs';
import { start } from './tocsin.mjs';

const folder = fileURLToPath(new URL('../../../../docs/images/dashboard/', import.meta.url));
const LOOKS = {
  light: { theme: 'light', width: 1280, height: 800 },
  dark: { theme: 'dark', width: 1280, height: 800 },
  phone: { theme: 'light', width: 390, height: 780 },
};

const alerts = [
  { title: 'Checkout answers 5xx to one customer in four', severity: 'critical', labels: { alertname: 'CheckoutErrors', service: 'checkout', team: 'payments', region: 'eu-central-1' }, description: 'Share of 5xx over 5 minutes: 24.8 % (goal: below 0.5 %).', annotations: { runbook: 'https://wiki.example.com/runbooks/checkout' } },
  { title: 'Card payments wait longer than 8 s', severity: 'high', labels: { alertname: 'PaymentLatency', service: 'payments', team: 'payments', region: 'eu-central-1' } },
  { title: 'Replica of orders-db is 4 minutes behind', severity: 'high', labels: { alertname: 'ReplicaLag', service: 'orders-db', team: 'storage', region: 'eu-central-1' } },
  { title: 'Disk of search-3 is full in 6 hours', severity: 'warning', labels: { alertname: 'DiskFills', host: 'search-3', team: 'search' } },
  { title: 'Certificate of api.example.com ends in 12 days', severity: 'info', labels: { alertname: 'CertificateEnds', host: 'api.example.com', team: 'platform' } },
  { title: 'Backup of billing was skipped', severity: 'warning', labels: { alertname: 'BackupSkipped', service: 'billing', team: 'storage' } },
];

/** Fills a Tocsin with what a bad morning leaves; gives the addresses of the pages. */
async function fill(stage) {
  for (const alert of alerts) await stage.send(alert);
  for (const pod of ['a', 'b', 'c']) await stage.send({ ...alerts[0], title: `Checkout answers 5xx on pod ${pod}`, labels: { ...alerts[0].labels, pod } });
  const { data } = await stage.until('incidents?status=triggered', ({ total }) => total === alerts.length);
  const of = (name) => data.find(({ labels }) => labels.alertname === name);
  const worst = of('CheckoutErrors');
  const by = (actor) => ({ headers: { 'X-Tocsin-Actor': actor } });
  await stage.api('POST', `incidents/${worst.id}/acknowledge`, {}, by('Ada'));
  await stage.api('POST', `incidents/${worst.id}/notes`, { text: 'The new gateway certificate is not trusted by pods of the old image. Rolling back.' }, by('Ada'));
  await stage.api('POST', `incidents/${of('BackupSkipped').id}/resolve`, { note: 'Ran it by hand.' }, by('Grace'));
  await stage.api('POST', 'silences', { matchers: ['host="search-3"', 'alertname="DiskFills"'], ends_at: new Date(Date.now() + 7_200_000).toISOString(), comment: 'Disk is being replaced, OPS-1214.' }, by('Grace'));
  const envelope = { v: '9', id: randomUUID(), received_at: new Date().toISOString(), source: 'generic', integration: 'default', body: '{"title": "of a version to come"}' };
  await stage.backstage.redis('XADD', 'tocsin:v1:{0}:events', '*', ...Object.entries(envelope).flat());
  await stage.until('dead-letters', ({ total }) => total === 1);
  await stage.until('notifications?status=dead', ({ total }) => total >= 1);
  const found = await stage.api('GET', `incidents/${worst.id}/alerts`);
  return { incident: `/incidents/${worst.incident_number}`, alert: `/alerts/${found.data[0].id}` };
}

/** `visit` unfolds everything, which is for tests; people see pages as they come. */
async function picture(page, stage, path, name, act = async () => {}) {
  await page.goto(stage.base + path);
  await page.locator('h1').first().waitFor();
  await page.locator('.loading').first().waitFor({ state: 'detached' });
  await page.evaluate(() => document.fonts.ready);
  await page.getByText('live', { exact: true }).waitFor();
  // Lines of the system page need two looks, five seconds apart.
  if (path === '/system') await page.waitForTimeout(11_000);
  await act();
  await page.screenshot({ path: `${folder}${name}.png` });
}

const tocsin = await start();
const stage = await open(tocsin.description).catch(async (error) => {
  await tocsin.stop();
  throw error;
});
try {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { incident, alert } = await fill(stage);
  const pages = { board: '/', incident, alerts: '/alerts', alert, silences: '/silences', 'dead-letters': '/dead-letters', 'dead-notifications': '/dead-letters?view=notifications', system: '/system' };
  // What pages show when somebody does something there.
  const acts = { keys: ['/', '?', 'Keys'], silence: [incident, 's', 'Silence'] };
  for (const [look, options] of Object.entries(LOOKS)) {
    const page = await stage.page({ as: 'admin', ...options });
    for (const [name, path] of Object.entries(pages)) await picture(page, stage, path, `${name}-${look}`);
    for (const [name, [path, key, dialog]] of Object.entries(acts)) {
      await picture(page, stage, path, `${name}-${look}`, async () => {
        await page.keyboard.press(key);
        await page.getByRole('dialog', { name: dialog }).waitFor();
      });
    }
    await picture(page, stage, '/', `lost-${look}`, async () => {
      await stage.backstage.act('stop', 'api-1');
      await page.getByText('The live connection is lost.').waitFor();
    });
    await stage.backstage.act('start', 'api-1');
    await page.context().close();
    const signIn = await stage.page({ as: null, path: '/sign-in', ...options });
    await signIn.getByLabel('API token').waitFor();
    await signIn.screenshot({ path: `${folder}sign-in-${look}.png` });
    await signIn.context().close();
  }
} finally {
  await stage.close();
  await tocsin.stop();
}
