// What the build gives: small, the same each time, and fit for a strict policy.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildInto } from '../build.mjs';

/** The bound that the project has set, and the one that this app keeps. */
const MOST_BYTES = 100_000;
const USUAL_BYTES = 45_000;

let folder;
const contents = async (at) => {
  const names = (await readdir(at, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(await Promise.all(names.sort().map(async (name) => [name.slice(at.length + 1), await readFile(name, 'utf8')])));
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-dashboard-'));
  await buildInto(join(folder, 'one'));
  await buildInto(join(folder, 'two'));
});
after(() => rm(folder, { recursive: true }));

test('all scripts together stay small', async () => {
  const files = await contents(join(folder, 'one'));
  const scripts = Object.entries(files).filter(([name]) => name.endsWith('.js'));
  const bytes = scripts.reduce((sum, [, text]) => sum + gzipSync(text).length, 0);
  assert.equal(scripts.length, 2);
  const [, first] = scripts.find(([name]) => name.includes('/theme-'));
  assert.ok(first.length < 1_000, 'what holds up the first paint is next to nothing');
  assert.ok(bytes <= MOST_BYTES && bytes <= USUAL_BYTES, `${bytes} bytes of script`);
});

test('the same sources give the same bytes', async () => {
  assert.deepEqual(await contents(join(folder, 'one')), await contents(join(folder, 'two')));
});

test('the page has nothing inline and names only what is there', async () => {
  const files = await contents(join(folder, 'one'));
  const page = files['index.html'];
  assert.doesNotMatch(page, /\sstyle=|<style|\son\w+=|\{\{/);
  for (const [, content] of page.matchAll(/<script[^>]*>([^<]*)<\/script>/g)) assert.equal(content, '');
  const named = [...page.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(named.sort(), Object.keys(files).filter((name) => name !== 'index.html').sort());
});

test('nothing comes from outside, and no source map is there', async () => {
  const files = await contents(join(folder, 'one'));
  for (const [name, text] of Object.entries(files)) {
    assert.doesNotMatch(name, /\.map$/);
    assert.doesNotMatch(text, /sourceMappingURL/);
    const addresses = [...text.matchAll(/https?:\/\/[a-z0-9.-]+/gi)].map(([address]) => address);
    assert.deepEqual(addresses.filter((address) => !address.startsWith('http://www.w3.org')), [], name);
  }
});
