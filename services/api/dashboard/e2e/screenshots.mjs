// Takes a picture of each page in both themes and on a phone into docs/images/dashboard/ (or the folder that is named).

import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from './browser.mjs';

const folder = resolve(process.argv[2] ?? fileURLToPath(new URL('../../../../docs/images/dashboard/', import.meta.url)));
await mkdir(folder, { recursive: true });
const stage = await open();

const VIEWS = {
  board: '/',
  incident: '/incidents/NUMBER',
  alerts: '/alerts',
  alert: '/alerts/ALERT',
  silences: '/silences?expired=true',
  'dead-letters': '/dead-letters?view=notifications',
  system: '/system',
};

/** Lets ten minutes go by on the page's clock, for lines to be drawn. */
async function letTimePass(page) {
  await page.clock.install({ time: Date.now() - 115 * 5_000 });
  await page.reload();
  for (let round = 0; round < 115; round += 1) {
    await page.clock.runFor(5_000);
    await page.waitForTimeout(40);
  }
  await page.clock.resume();
}

async function take(page, name, full = true) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.waitForTimeout(350);
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: full });
}

async function takeAll() {
  for (const [variant, options] of Object.entries({ light: { theme: 'light', height: 860 }, dark: { theme: 'dark', height: 860 }, phone: { theme: 'dark', width: 360, height: 740 } })) {
    const page = await stage.page({ ...options, token: 'admin' });
    const data = await page.evaluate(async () => (await fetch('/api/v1/incidents?q=disk')).json());
    const incident = data.data[0];
    const alert = await page.evaluate(async () => (await (await fetch('/api/v1/alerts?q=checkout')).json()).data[0]);
    for (const [name, path] of Object.entries(VIEWS)) {
      await page.goto(stage.base + path.replace('NUMBER', incident.incident_number).replace('ALERT', alert.id));
      await page.getByRole('heading', { level: 1 }).waitFor();
      if (name === 'system') await letTimePass(page);
      if (name === 'incident' || name === 'alert') await page.locator('.why > summary').click();
      if (name === 'board' && variant !== 'phone') await page.keyboard.press('j');
      await take(page, `${name}-${variant}`, variant !== 'phone');
    }
    await page.goto(`${stage.base}/incidents/${incident.incident_number}`);
    await page.getByRole('button', { name: 'Silence…' }).click();
    await take(page, `silence-${variant}`, false);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await take(page, `keys-${variant}`, false);
    if (variant !== 'phone') {
      await page.goto(stage.base);
      await page.getByText('live', { exact: true }).waitFor();
      await stage.outage(() => page.getByText('The live connection is lost.').waitFor());
      await take(page, `lost-${variant}`, false);
      await page.getByText('live', { exact: true }).waitFor();
    }
    const signIn = await stage.page({ ...options, token: null, path: '/sign-in' });
    await signIn.getByLabel('API token').waitFor();
    await take(signIn, `sign-in-${variant}`, false);
    await page.context().close();
    await signIn.context().close();
  }
}

const problem = await takeAll().catch((error) => error);
await stage.close();
if (problem) throw problem;
