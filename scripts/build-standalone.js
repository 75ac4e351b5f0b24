import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  bun,
  extensionOf,
  fetchTool,
  hostTarget,
  singleFileName,
  TARGETS,
  toolPath,
} from './tools.js';

/*
 * The command as one file, which needs no Node.js: Bun, and the bundle that scripts/build.js made, compiled to bytecode.
 * Compiled from the sources, the file would be larger and start slower.
 *
 *     node scripts/build-standalone.js                    # dist/standalone/credstash, for this machine
 *     node scripts/build-standalone.js TARGET…            # dist/release/credstash-TARGET, for each
 *     node scripts/build-standalone.js all                # for every target
 */
const ENTRIES = ['dist/bin/command.cjs', 'dist/bin/watchdog.cjs'];

process.chdir(join(import.meta.dirname, '..'));
process.umask(0o022);
fetchTool('bun', bun());

const given = process.argv.slice(2);
const targets = given.includes('all')
  ? Object.keys(TARGETS)
  : // Docker's name of the architecture.
    given.map((target) => target.replace('linux-amd64', 'linux-x64'));
if (targets.length === 0) buildFile('dist/standalone/credstash', hostTarget());
for (const target of targets) {
  buildFile(`dist/release/${singleFileName(target)}`, target);
}

/**
 * Makes one single file and renames it into place.
 *
 * @param {string} output
 * @param {string} target of TARGETS
 */
function buildFile(output, target) {
  const runtime = target === hostTarget() ? 'bun' : `bun-${target}`;
  fetchTool(runtime, bun(target));
  mkdirSync(dirname(output), { recursive: true });
  // Bun writes the file's name into the file, so only the folder's name may differ between builds.
  const folder = mkdtempSync(join(dirname(output), 'build-'));
  const made = join(folder, `credstash${extensionOf(target)}`);
  try {
    execFileSync(
      executable('bun', hostTarget()),
      [
        ...['build', ...ENTRIES, '--compile', '--bytecode', '--outfile', made],
        ...['--target', `bun-${TARGETS[target]?.platform}`, '--format', 'cjs'],
        // Else Bun downloads the runtime, which no digest in tools.js would be of.
        ...['--compile-executable-path', executable(runtime, target)],
        // Bun has node:sqlite. The file looks for no other module on the machine that it runs on.
        ...['--external', 'libsql', '--reject-unresolved'],
        // Bun writes the folder of the build for these two. Nothing uses them here: Bun has node:sqlite, and the watchdog's
        // name is relative.
        ...['--define', '__filename="/credstash"', '--define', '__dirname="/"'],
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
    renameSync(made, output);
  } finally {
    rmSync(folder, { recursive: true });
  }
  process.stdout.write(`${output}: ${Math.round(statSync(output).size / 1e6)} MB\n`);
}

/** @param {string} tool @param {string} target */
function executable(tool, target) {
  return join(toolPath(tool), 'bin', `bun${extensionOf(target)}`);
}
