// What senders write stays text: no markup of theirs, no script and no link to anything but http.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { open, unique } from './browser.mjs';

let stage;
before(async () => {
  stage = await open();
});
after(() => stage.close());

const hostile = (word) => `<img src=x onerror=alert(1)> ${unique(`"><script>alert("${word}")</script>`)}`;

/** What a sender has got into the page: elements of his, and links that no browser should follow. */
const madeBySenders = (page) =>
  page.evaluate(() => ({
    elements: document.querySelectorAll('main script, main img[src=x], main b').length,
    links: [...document.querySelectorAll('a[href]')].map(({ href }) => href).filter((href) => !/^https?:/.test(href)),
  }));

test('what senders write stays text on every page that shows it', async () => {
  const title = hostile('title');
  const team = unique('hostile');
  await stage.send({
    title,
    severity: 'critical',
    description: hostile('description'),
    labels: { alertname: title, team, '<b>name</b>': hostile('label') },
    annotations: { runbook: 'javascript:alert(3)', dashboard: 'data:text/html,<script>alert(4)</script>', note: hostile('annotation') },
  });
  const { data } = await stage.until(`incidents?label=team%3D${team}`, ({ total }) => total === 1);
  const incident = data[0];
  await stage.api('POST', `incidents/${incident.id}/notes`, { text: hostile('note') });
  await stage.api('POST', 'silences', { matchers: [`team="${hostile('matcher').replaceAll('"', '')}"`], ends_at: new Date(Date.now() + 60_000).toISOString(), comment: hostile('comment') });
  const alerts = await stage.api('GET', `incidents/${incident.id}/alerts`);
  const page = await stage.page({ as: 'admin' });
  for (const path of ['/', `/incidents/${incident.incident_number}`, '/alerts', `/alerts/${alerts.data[0].id}`, '/silences', '/dead-letters', '/system']) {
    await stage.visit(page, path);
    if (path !== '/dead-letters' && path !== '/system') await page.getByText('onerror=alert(1)').first().waitFor();
    assert.deepEqual(await madeBySenders(page), { elements: 0, links: [] }, path);
  }
  await page.context().close();
});

test('no policy was breached, no script ran, and no request left', () => stage.assertClean());
