// What everybody must be able to see and use: contrast, names and roles, a phone's width, what is empty and what fails.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { alertOf, open, row, unique } from './browser.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** The least size of what a finger must hit, in CSS pixels: WCAG 2.2 (2.5.8), and what the actions of a phone keep. */
const [LEAST_TARGET, ACTION_TARGET] = [24, 40];

let stage;
let incident;
let alert;
const title = unique('Looks');

before(async () => {
  stage = await open();
  await stage.send(alertOf(title, { description: `Long: ${'x'.repeat(300)}`, labels: { path: `/${'deep/'.repeat(40)}`, team: 'payments' }, annotations: { runbook: 'https://wiki.example/r', note: 'See the wiki.' } }));
  await stage.backstage.redis('XADD', 'tocsin:v1:{0}:events', '*', 'v', '9', 'body', 'x'.repeat(300));
  await stage.api('POST', 'silences', { matchers: [`alertname="${title}-never"`, `path=~"${'deep/'.repeat(30)}"`], ends_at: new Date(Date.now() + 3_600_000).toISOString(), comment: 'A window' });
  const { data } = await stage.until(`incidents?q=${encodeURIComponent(title)}`, ({ total }) => total === 1);
  incident = `/incidents/${data[0].incident_number}`;
  await stage.until('dead-letters', ({ total }) => total >= 1);
  await stage.until('notifications?status=dead', ({ total }) => total >= 1);
  alert = `/alerts/${(await stage.api('GET', `alerts?q=${encodeURIComponent(title)}`)).data[0].id}`;
});
after(() => stage.close());

const pages = () => ['/', '/?q=matches-nothing-at-all', incident, '/alerts', alert, '/silences?expired=true', '/dead-letters', '/dead-letters?view=notifications', '/system', '/nowhere'];

/** What axe-core finds that is serious or critical. It is evaluated by the browser's tools, not by the page: the policy stays. */
async function faults(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`);
}

for (const theme of ['light', 'dark']) {
  test(`axe-core finds nothing serious on any page, ${theme}`, async () => {
    const page = await stage.page({ theme, as: 'admin' });
    for (const path of pages()) {
      await stage.visit(page, path);
      assert.deepEqual(await faults(page), [], `${theme} ${path}`);
    }
    await page.goto(stage.base + incident);
    for (const name of ['Resolve', 'Note', 'Silence…', 'Severity…', 'Cancel…', 'Keys']) {
      await page.getByRole('button', { name }).click();
      await page.getByRole('dialog').waitFor();
      assert.deepEqual(await faults(page), [], `${theme} dialog ${name}`);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    await page.keyboard.press('c');
    await page.getByRole('dialog', { name: 'Declare an incident' }).waitFor();
    await page.getByRole('button', { name: 'Add a label' }).click();
    assert.deepEqual(await faults(page), [], `${theme} dialog declare`);
    await page.context().close();
    const signIn = await stage.page({ theme, as: null, path: '/sign-in' });
    await signIn.getByLabel('API token').waitFor();
    assert.deepEqual(await faults(signIn), [], `${theme} sign-in`);
    await signIn.context().close();
  });
}

/** What is wider than the page. */
const tooWide = (page) =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width + 1).map((element) => element.className || element.tagName).slice(0, 5);
  });

/** What a finger would miss: controls below the least size, and actions below theirs. Links within a text may be as low as it. */
const tooSmall = (page) =>
  page.evaluate(
    ([least, action]) =>
      [...document.querySelectorAll('a[href], button, input, select, textarea, summary')].flatMap((element) => {
        const target = element.closest('label') ?? element;
        const { width, height } = target.getBoundingClientRect();
        if (width === 0 || element.closest('.visually-hidden, .skip')) return [];
        const isAction = element.matches('.button, .row-link, .places a, select, input:not([type=radio], [type=checkbox])');
        const isInText = getComputedStyle(element).display === 'inline';
        const enough = isInText || (width >= least && height >= (isAction ? action : least));
        return enough ? [] : [`${element.tagName} ${element.className} ${element.textContent.trim().slice(0, 20)}: ${Math.round(width)}×${Math.round(height)}`];
      }),
    [LEAST_TARGET, ACTION_TARGET],
  );

test('nothing scrolls sideways on a phone, and a finger hits what it aims at', async () => {
  const page = await stage.page({ width: 360, height: 740, as: 'admin' });
  for (const path of pages()) {
    await stage.visit(page, path);
    assert.deepEqual(await tooWide(page), [], path);
    assert.deepEqual(await tooSmall(page), [], path);
  }
  await page.goto(stage.base + incident);
  for (const name of ['Silence…', 'Severity…', 'Resolve']) {
    await page.getByRole('button', { name }).click();
    assert.ok(await page.getByRole('dialog').evaluate((dialog) => dialog.scrollWidth <= dialog.clientWidth), name);
    assert.deepEqual(await tooSmall(page), [], name);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  }
  await page.context().close();
});

test('the theme is chosen, and kept', async () => {
  const page = await stage.page({ theme: 'light' });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: /^Theme/ }).click();
  await page.getByRole('button', { name: /^Theme: light/ }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await page.getByRole('button', { name: /^Theme: dark/ }).waitFor();
  assert.equal(await ground(), dark);
  await page.context().close();
});

test('an empty board says how to send a test alert, and the line does it', async () => {
  const { data } = await stage.api('GET', 'incidents?status=triggered,acknowledged&limit=250');
  for (const { id } of data) await stage.api('POST', `incidents/${id}/resolve`, {});
  const page = await stage.page();
  await page.getByText('All quiet').waitFor();
  assert.deepEqual(await faults(page), []);
  const line = await page.getByLabel('Command that sends a test alert').innerText();
  const [, address, body] = /^curl (\S+) .*'(\{.*\})'$/.exec(line.trim());
  assert.ok(address.startsWith(`${stage.base}/api/`));
  await stage.send(JSON.parse(body), address.slice(`${stage.base}/api/`.length));
  await row(page, 'Test of the pager').waitFor();
  await page.context().close();
});

test('a board that cannot be loaded says what happened and what to do', async () => {
  const page = await stage.page();
  await stage.without(
    'postgres',
    async () => {
      await page.reload();
      await page.getByRole('alert').getByText('The board cannot be loaded.').waitFor();
      await page.getByRole('alert').getByText('Request id').waitFor();
      await page.getByRole('alert').getByText('It is tried again by itself.').waitFor();
      assert.deepEqual(await faults(page), []);
    },
    ['pause', 'resume'],
  );
  await page.getByRole('alert').waitFor({ state: 'detached' });
  await page.getByRole('list', { name: 'Incidents' }).getByRole('link').first().waitFor();
  await page.context().close();
});

test('no policy was breached, no script failed, and no request left', () => stage.assertClean());
