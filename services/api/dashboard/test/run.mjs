// Bundles the unit tests (Node reads no TypeScript) and runs them, and then those of what the build gives.

import { spawnSync } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, '.tests');
await rm(folder, { recursive: true, force: true });
await mkdir(folder);
const names = (await readdir(join(root, 'test'))).filter((name) => name.endsWith('.test.ts'));
await build({
  absWorkingDir: root,
  entryPoints: names.map((name) => `test/${name}`),
  outdir: folder,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'warning',
});
const files = [...names.map((name) => join(folder, name.replace(/\.ts$/, '.mjs'))), join(root, 'test/bundle.test.mjs')];
const { status } = spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit', cwd: root });
await rm(folder, { recursive: true, force: true });
process.exitCode = status ?? 1;
