import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

/** The texts of a folder, by path. */
function texts(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    paths
      .filter((path) => statSync(join(folder, path)).isFile())
      .map((path) => [path, readFileSync(join(folder, path), 'utf8')]),
  );
}

it('docs/api is what npm run docs makes of the docstrings', { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'credstash-api-'));
  try {
    const typedoc = join(root, 'node_modules/typedoc/bin/typedoc');
    execFileSync(process.execPath, [typedoc, '--out', folder, '--logLevel', 'Warn'], {
      cwd: root,
      stdio: 'pipe',
    });
    const made = texts(folder);
    expect(made['index/classes/Credstash.md']).toContain('createCache()');
    expect(texts(join(root, 'docs/api'))).toEqual(made);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
