import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Everything that a release offers to download, in dist/release: the single files, the Debian packages, the npm packages, the
 * bill of materials, SHA256SUMS, and the Homebrew formula of these. The bundle must be built.
 */
process.chdir(join(import.meta.dirname, '..'));
const folder = 'dist/release';
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

/** @param {string} script @param {string[]} args */
const run = (script, ...args) =>
  execFileSync(process.execPath, [`scripts/${script}`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  });

process.stdout.write(run('build-standalone.js', 'all'));
process.stdout.write(run('build-deb.js', 'amd64', 'arm64'));
execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
run('pack-command.js', folder);
writeFileSync(`${folder}/credstash.cdx.json`, run('sbom.js'));

const sums = readdirSync(folder)
  .sort()
  .map((name) => {
    const digest = createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
    return `${digest}  ${name}\n`;
  });
writeFileSync(`${folder}/SHA256SUMS`, sums.join(''));
process.stdout.write(sums.join(''));
process.stdout.write(run('build-formula.js'));
