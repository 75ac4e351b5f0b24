import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { tarballName } from '../../scripts/identity.js';
import { packProject } from './project.ts';

/*
 * What npm publishes of this project, packed once for a run of the tests: ten files install it. Vitest makes its folder and
 * removes it (`globalSetup`).
 */

/** The variable that has the folder. */
const FOLDER = 'CREDSTASH_TEST_PACKED';

/** @returns the path of the tarball, which other test files read too */
export function pack(): string {
  const folder = process.env[FOLDER];
  if (folder === undefined) throw new Error('test/support/packed.ts is no globalSetup of this run');
  const tarball = join(folder, tarballName(manifest.name, manifest.version));
  // Of two files that pack it at once, one replaces what the other made.
  if (!existsSync(tarball)) renameSync(packProject(mkdtempSync(join(folder, 'packing-'))), tarball);
  return tarball;
}

/** Makes the folder; returns what removes it. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'credstash-test-packed-'));
  process.env[FOLDER] = folder;
  return () => {
    rmSync(folder, { recursive: true });
  };
}
