// Builds dist/: index.html, and assets/ whose names carry a hash of what they hold, so that they may be kept for ever.
// The same sources give the same bytes: nothing here depends on the time, the machine or the folder.

import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { basename, extname, join } from 'node:path';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));

/** Builds the dashboard into a folder, which is emptied before. */
export async function buildInto(folder) {
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: { app: 'src/main.tsx', theme: 'src/theme-first.ts', style: 'src/styles/index.css' },
    outdir: 'dist/assets',
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['chrome109', 'firefox115', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'utf8',
    legalComments: 'none',
    write: false,
    logLevel: 'warning',
  });
  const icon = { path: 'icon.svg', contents: await readFile(join(here, 'src/icon.svg')) };

  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'assets'), { recursive: true });
  const addresses = {};
  for (const { path, contents } of [...outputFiles, icon]) {
    const [extension, name] = [extname(path), basename(path, extname(path))];
    const hash = createHash('sha256').update(contents).digest('hex').slice(0, 12);
    const file = `assets/${name}-${hash}${extension}`;
    addresses[name] = `/${file}`;
    await writeFile(join(folder, file), contents);
  }

  const page = await readFile(join(here, 'index.html'), 'utf8');
  const filled = page
    .replace('{{icon}}', addresses.icon)
    .replace('{{theme}}', addresses.theme)
    .replace('{{style}}', addresses.style)
    .replace('{{script}}', addresses.app);
  await writeFile(join(folder, 'index.html'), filled);
  return addresses;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const address of Object.values(await buildInto(join(here, 'dist')))) console.log(`dist${address}`);
}
