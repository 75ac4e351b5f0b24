import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

// Writes the manual in dist/man from the definitions of the commands; with --docs also docs/reference/commands.md.
const root = join(import.meta.dirname, '..');

/** @param {{ docs?: boolean }} [options] whether the document is written too */
export async function writeReference({ docs = false } = {}) {
  mkdirSync(join(root, 'dist'), { recursive: true });
  const folder = mkdtempSync(join(root, 'dist', 'reference-'));
  try {
    const bundle = await rolldown({
      input: join(root, 'src/cli/help/documents.ts'),
      platform: 'node',
      external: ['libsql'],
    });
    await bundle.write({
      dir: folder,
      format: 'es',
      entryFileNames: 'documents.mjs',
      chunkFileNames: '[name].mjs',
    });
    await bundle.close();
    /** @type {unknown} */
    const loaded = await import(pathToFileURL(join(folder, 'documents.mjs')).href);
    const { makeDocuments } = /** @type {typeof import('../src/cli/help/documents.ts')} */ (loaded);
    const { reference, manual } = await makeDocuments();
    mkdirSync(join(root, 'dist/man'), { recursive: true });
    for (const { file, text } of manual) writeFileSync(join(root, 'dist/man', file), text);
    if (!docs) return;
    const filepath = join(root, 'docs/reference/commands.md');
    writeFileSync(filepath, reference);
    execFileSync(join(root, 'node_modules/.bin/oxfmt'), [filepath]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === import.meta.filename) await writeReference({ docs: true });
