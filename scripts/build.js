import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import bundles from '../rolldown.config.js';

// The command as a bundle, the library as modules with their types.
const root = join(import.meta.dirname, '..');
process.chdir(root);
rmSync('dist', { recursive: true, force: true });

for (const { output, ...input } of await bundles()) {
  const bundle = await rolldown(input);
  await bundle.write(output);
  await bundle.close();
}
chmodSync('dist/bin/credstash.cjs', 0o755);

execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.lib.json'], {
  stdio: 'inherit',
});
