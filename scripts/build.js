import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import bundles from '../rolldown.config.js';
import { writeReference } from './reference.js';

// The command, and the library in both forms with their types.
const root = join(import.meta.dirname, '..');
process.chdir(root);
// The modes of what is written here are in the packages: they must not depend on whose build it is.
process.umask(0o022);
rmSync('dist', { recursive: true, force: true });

/** The modules of each folder, from which the licenses and the bill of materials are made. @type {Record<string, Set<string>>} */
const modules = {};
for (const { output, ...input } of await bundles()) {
  const bundle = await rolldown(input);
  const written = await bundle.write(output);
  await bundle.close();
  const known = (modules[output.dir ?? ''] ??= new Set());
  for (const chunk of written.output) {
    if (chunk.type !== 'chunk') continue;
    for (const [id, { renderedLength }] of Object.entries(chunk.modules)) {
      if (renderedLength > 0) known.add(id.replace(/^\0/, '').replace(`${root}/`, ''));
    }
  }
}
const bundled = Object.entries(modules).map(([dir, ids]) => [dir, [...ids].sort()]);
writeFileSync('dist/bundled.json', JSON.stringify(Object.fromEntries(bundled), null, 1));
chmodSync('dist/bin/credstash.cjs', 0o755);

// The script itself: on Windows what npm puts into .bin needs a shell. `npm run lint` checks these files: the declarations are
// the same without that, in less than half of the time.
const tsc = 'node_modules/typescript/bin/tsc';
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.lib.json', '--noCheck'], { stdio: 'inherit' });

// Both forms have the same types; the nearest package.json says which form they belong to.
writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n');
for (const file of readdirSync('dist/lib', { recursive: true, encoding: 'utf8' })) {
  if (file.endsWith('.d.ts')) cpSync(join('dist/lib', file), join('dist/cjs', file));
}
// Here `require` gives the class itself, which the types of an ES module cannot say.
cpSync('src/nodecredstash/commonjs.d.cts', 'dist/cjs/nodecredstash/index.d.ts');

await writeReference();

mkdirSync('dist/completions');
for (const [shell, file] of [
  ['bash', 'credstash.bash'],
  ['zsh', '_credstash'],
  ['fish', 'credstash.fish'],
]) {
  const args = ['dist/bin/credstash.cjs', 'completion', shell ?? ''];
  // Without a home, it keeps no compiled code.
  const script = execFileSync(process.execPath, args, { env: {} });
  writeFileSync(`dist/completions/${file}`, script);
}
