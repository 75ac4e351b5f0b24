import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bun, fetchTool, toolPath } from './tools.js';

/*
 * The command as one file for this machine's platform, which needs no Node.js: Bun, and the bundle that scripts/build.js
 * made, compiled to bytecode. Compiled from the sources, the file would be larger and start slower.
 */
const ENTRIES = ['dist/bin/command.cjs', 'dist/bin/watchdog.cjs'];
const OUTPUT = 'dist/standalone/credstash';

process.chdir(join(import.meta.dirname, '..'));
fetchTool('bun', bun());
mkdirSync('dist/standalone', { recursive: true });

const temporary = `${OUTPUT}.${process.pid}.tmp`;
execFileSync(
  join(toolPath('bun'), 'bin', 'bun'),
  [
    ...['build', ...ENTRIES, '--compile', '--bytecode', '--outfile', temporary],
    ...['--target', 'bun', '--format', 'cjs'],
    // Bun has node:sqlite. The file looks for no other module on the machine that it runs on.
    ...['--external', 'libsql', '--reject-unresolved'],
    // The folder that a command is run in must have no say in what it does: no environment from .env, no code from
    // bunfig.toml, no aliases of modules.
    ...['--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig'],
    ...['--no-compile-autoload-tsconfig', '--no-compile-autoload-package-json'],
    // Nor have variables of Bun. Behind `--` Bun reads no more options, which BUN_OPTIONS would give it. `=strict` runs no
    // code but that of this file, and so refuses BUN_INSPECT, which opens a debugger, and BUN_INSPECT_PRELOAD
    // (https://bun.com/docs/runtime/code-generation-from-strings). Nothing turns BUN_BE_BUN off.
    ...['--compile-exec-argv', '--disallow-code-generation-from-strings=strict --'],
  ],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
renameSync(temporary, OUTPUT);
process.stdout.write(`${OUTPUT}: ${Math.round(statSync(OUTPUT).size / 1e6)} MB\n`);
