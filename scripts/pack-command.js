import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readIdentity, tarballName } from './identity.js';

/*
 * Packs a package that has only the command, for `npm install -g`: `npm run pack:command [FOLDER]`. The command's bundle has the
 * AWS SDK in it, so that the SDK is not installed as it is for the library (docs/contributing/dependencies.md).
 */
const root = join(import.meta.dirname, '..');
const PARTS = ['dist/bin', 'dist/man', 'dist/completions', 'LICENSE', 'THIRD-PARTY-NOTICES'];

const { command: name, repository } = readIdentity();
/** The fields that only the library and the sources have. */
const LEFT_OUT = new Set(
  'main types exports sideEffects dependencies devDependencies scripts'.split(' '),
);
/** @type {Record<string, unknown> & { name: string, version: string }} */
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const README = `# ${name}

The command \`credstash\`: secrets in DynamoDB or in a local vault, sealed with KMS data keys.

    credstash --help

The package ${manifest.name} has the same command, and a library. Install one of the two. The documents
are in the repository: ${repository}
`;

const destination = resolve(process.argv[2] ?? '.');
const folder = mkdtempSync(join(tmpdir(), 'credstash-pack-'));
try {
  process.umask(0o022);
  for (const part of PARTS) {
    mkdirSync(join(folder, part, '..'), { recursive: true });
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  writeFileSync(join(folder, 'README.md'), README);
  const own = {
    ...Object.fromEntries(Object.entries(manifest).filter(([field]) => !LEFT_OUT.has(field))),
    name,
    description: 'The command credstash: secrets in DynamoDB or a local vault.',
    files: PARTS,
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(own, null, 2)}\n`);
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', destination], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
} finally {
  rmSync(folder, { recursive: true });
}
process.stdout.write(`${tarballName(name, manifest.version)}\n`);
