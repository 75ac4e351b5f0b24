import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from './support/temporary-folder.ts';

const root = join(import.meta.dirname, '..');

// A docstring that names what does not exist is a warning of typedoc, and typedoc.json makes warnings errors.
it('npm run docs writes the reference of the library', { timeout: 240_000 }, () => {
  const folder = temporaryFolder();
  const typedoc = join(root, 'node_modules/typedoc/bin/typedoc');
  // tsc checks the sources, and how the pages are laid out is not looked at: both take two thirds of the time.
  const quick = ['--skipErrorChecking', '--formatWithPrettier', 'false'];
  execFileSync(process.execPath, [typedoc, '--out', folder, '--logLevel', 'Warn', ...quick], {
    cwd: root,
    stdio: 'pipe',
  });
  expect(readFileSync(join(folder, 'index/classes/Credstash.md'), 'utf8')).toContain(
    'createCache()',
  );
});
