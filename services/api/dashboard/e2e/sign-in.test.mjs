// Signing in at the company's provider, as a browser does it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { alertOf, open, unique } from './browser.mjs';

let stage;
before(async () => (stage = await open()));
after(() => stage.close());

const signIn = (page) => page.getByRole('link', { name: 'Sign in with Example' });

test('who signs in at the provider comes back to where they were, and acts under their own name', async () => {
  const title = unique('Ada');
  await stage.send(alertOf(title));
  const { data } = await stage.until(`incidents?q=${encodeURIComponent(title)}`, ({ total }) => total === 1);
  await stage.comes({ sub: 'ada', email: 'ada@example.com', groups: ['sre'] });
  const page = await stage.page({ as: null, path: `/incidents/${data[0].incident_number}` });
  await signIn(page).click();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.cookie), '', 'scripts cannot read the cookie');
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByRole('region', { name: 'Timeline' }).getByText(/^Acknowledged by ada@example\.com/).waitFor();
  await page.reload();
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/sign-in');
  await page.context().close();
});

test('who may only read there may only read here', async () => {
  await stage.comes({ sub: 'guest', email: 'guest@example.com' });
  const page = await stage.page({ as: null, path: '/' });
  await signIn(page).click();
  await page.getByRole('heading', { level: 1, name: 'Board' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Declare' }).count(), 0);
  await page.context().close();
});

test('who is turned back is told so, and can sign in with a token', async () => {
  await stage.comes(null);
  const page = await stage.page({ as: null, path: '/' });
  await signIn(page).click();
  await page.getByRole('alert').getByText('You may not come in.').waitFor();
  await page.getByRole('alert').getByText(/Request \S+/).waitFor();
  await page.goto(`${stage.base}/auth/oidc/callback?code=stolen&state=guessed`);
  await page.getByRole('alert').getByText('Signing in did not work.').waitFor();
  await page.getByLabel('API token').fill(stage.tokens.reader);
  await page.getByRole('button', { name: 'Sign in with a token' }).click();
  await page.getByRole('heading', { level: 1, name: 'Board' }).waitFor();
  await page.context().close();
});

test('no policy was breached, no script failed, and nothing went elsewhere', () => stage.assertClean());
