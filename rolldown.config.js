import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { findCommit } from './scripts/commit.js';

/*
 * The command as bundles in CommonJS, which starts faster than ESM here: a launcher, what it runs, and a thread of completion.
 * What it runs is split at each dynamic import: what a command line does not need is not even read from disk.
 *
 * The library twice, as ES modules and as CommonJS, split in the same way. Each form is one bundle of all its entry points,
 * so that they share their classes.
 */

/**
 * commander can start a program for a command, and loads what that takes with every start. No command here is such a
 * program.
 *
 * @type {import('rolldown').Plugin}
 */
const noPrograms = {
  name: 'no-programs',
  resolveId: (id, importer) =>
    id === 'node:child_process' && importer?.includes('/commander/') ? '\0no-programs' : undefined,
  load: (id) => (id === '\0no-programs' ? 'module.exports = {};' : undefined),
};

/**
 * Of node:fs/promises the SDK's credential providers use one function, which node:fs has without the rest's loading.
 *
 * @type {import('rolldown').Plugin}
 */
const readFileAlone = {
  name: 'read-file-alone',
  resolveId: (id, importer) =>
    /^(?:node:)?fs\/promises$/.test(id) && importer?.includes('/node_modules/')
      ? '\0read-file-alone'
      : undefined,
  load: (id) =>
    id === '\0read-file-alone'
      ? `import fs from 'node:fs';
import { promisify } from 'node:util';
export const readFile = promisify(fs.readFile);
export default { readFile };`
      : undefined,
};

/**
 * Writes the commit into the command, for `doctor`.
 *
 * @type {{ name: string, load: (id: string) => string | undefined }}
 */
export const stampCommit = {
  name: 'stamp-commit',
  load: (id) =>
    id.endsWith('/src/cli/commit.ts')
      ? `export const COMMIT = ${JSON.stringify(findCommit())};`
      : undefined,
};

/** @param {string | Record<string, string>} input */
const bundle = (input) => ({
  input,
  platform: /** @type {const} */ ('node'),
  // The embedded store's native driver cannot be bundled, and is needed only where node:sqlite is missing.
  external: ['libsql'],
  // No path of a module, which would be that of this machine if node_modules is a link.
  experimental: { attachDebugInfo: /** @type {const} */ ('none') },
  // Nobody imports the command.
  preserveEntrySignatures: /** @type {const} */ (false),
  // Such as of a module that is loaded lazily in one place and at once in another: each start would then load it.
  onLog: (/** @type {string} */ level, /** @type {{ message: string }} */ { message }) => {
    if (level === 'warn') throw new Error(message);
  },
  resolve: {
    mainFields: ['module', 'main'],
    conditionNames: ['module', 'import', 'node'],
    // The order of modules depends on their paths, which must not be those that a link of node_modules leads to.
    symlinks: false,
  },
});

/**
 * What the command runs.
 *
 * @param {string} input
 * @returns {import('rolldown').InputOptions}
 */
export const program = (input) => ({
  ...bundle(input),
  plugins: [noPrograms, readFileAlone, stampCommit],
  // Node.js loads all of its web streams when one asks for the class. No answer of node:http is one.
  transform: { define: { ReadableStream: 'undefined' } },
});

/** @type {import('rolldown').OutputOptions} */
export const output = {
  dir: 'dist/bin',
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: 'chunks/[name]-[hash].cjs',
  // Through the launcher's require: an import would start Node.js's loader of ES modules as well.
  dynamicImportInCjs: false,
  minify: false,
  // V8 keeps a source with one character beyond Latin-1 in two bytes for each: twice to read, to copy and to collect.
  charset: 'ascii',
  // Of the command, what is read at each start: licenses alone.
  comments: { legal: true, annotation: false, jsdoc: false },
};

/**
 * The output of what the command runs: without white space and dead code, which every start would read. Functions, classes and
 * variables keep their names, so that a stack can be read.
 *
 * @type {import('rolldown').OutputOptions}
 */
export const smallOutput = {
  ...output,
  minify: {
    compress: { keepNames: { function: true, class: true } },
    mangle: false,
    codegen: { removeWhitespace: true, asciiOnly: true, legalComments: 'inline' },
  },
  minifyInternalExports: false,
};

/** What one of these loads is one chunk, less what those before it have: each file is one to open and to check. */
const CHUNKS = {
  command: ['bin/command.ts'],
  // A get loads its own table only. The three modules are of `credstash`, which would otherwise load all commands for them.
  get: [
    'src/cli/commands/get.ts',
    ...['src/model/item.ts', 'src/util/parallel.ts', 'src/util/near-name.ts'],
  ],
  commands: ['src/cli/commands/'],
  help: ['src/cli/help/index.ts', 'src/cli/advice/usage-error.ts', 'src/cli/advice/line.ts'],
  credstash: ['src/credstash.ts', 'src/backend/entry-store.ts', 'src/backend/key-service.ts'],
  // Loaded before the SDK.
  connect: ['src/backend/aws/early-connections.ts'],
  aws: ['src/backend/aws/index.ts'],
  seal: ['src/seal/gcm-hmac.ts', 'src/seal/ctr-hmac.ts'],
  kms: ['src/backend/aws/key-service.ts'],
  local: ['src/backend/local/index.ts'],
  // Of a role that is assumed, which needs nothing of the doctor's client for the same service.
  sts: ['@aws-sdk/nested-clients/dist-es/submodules/sts/index.js'],
  credentials: ['src/backend/aws/credentials/index.ts'],
  doctor: ['src/backend/aws/doctor/index.ts'],
};

/**
 * Which chunk each module goes to. rolldown knows which modules are loaded together, but makes a chunk of each set that
 * several have in common: it is asked, and those sets are put together.
 *
 * @param {string} input
 * @returns {Promise<Map<string, string>>} the chunk's name by the module's id
 */
async function chunksOf(input) {
  const build = await rolldown(program(input));
  const { output: parts } = await build.generate(output);
  await build.close();
  const chunks = parts.flatMap((part) => (part.type === 'chunk' ? [part] : []));
  /** @type {Map<string, string>} */
  const chunkOf = new Map();
  for (const [name, roots] of Object.entries(CHUNKS)) {
    const open = chunks.filter((chunk) =>
      roots.some((root) => chunk.moduleIds.some((id) => id.includes(`/${root}`))),
    );
    const seen = new Set(open);
    for (let chunk = open.pop(); chunk !== undefined; chunk = open.pop()) {
      for (const id of chunk.moduleIds) if (!chunkOf.has(id)) chunkOf.set(id, name);
      for (const next of chunks) {
        if (!chunk.imports.includes(next.fileName) || seen.has(next)) continue;
        seen.add(next);
        open.push(next);
      }
    }
  }
  return chunkOf;
}

/** The entry points of the library: the files of tsconfig.lib.json, of which tsc makes the types. */
function libraryEntries() {
  /** @type {unknown} */
  const config = JSON.parse(readFileSync(join(import.meta.dirname, 'tsconfig.lib.json'), 'utf8'));
  const { files } = /** @type {{ files: string[] }} */ (config);
  return Object.fromEntries(files.map((file) => [file.replace(/^src\/|\.ts$/g, ''), file]));
}

/** @param {'es' | 'cjs'} format @param {string} dir */
const library = (format, dir) => ({
  ...bundle(libraryEntries()),
  // The application's own packages: it may have the SDK too, and the clients that it passes are of that one. Not so
  // @noble/ciphers, which is an ES module alone, and Node.js 20 warns of one that is required.
  external: [/^@(aws-sdk|smithy)\//, 'libsql'],
  preserveEntrySignatures: /** @type {const} */ ('strict'),
  output: /** @type {import('rolldown').OutputOptions} */ ({
    ...output,
    dir,
    format,
    exports: 'named',
    comments: true,
    // What is required is the default export itself, with all as properties; `default` too, as the types say.
    footer: (chunk) =>
      format === 'cjs' && chunk.isEntry && chunk.exports.includes('default')
        ? 'module.exports = Object.assign(exports.default, exports);'
        : '',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
  }),
});

/**
 * The bundles of the command and of the library.
 *
 * @returns {Promise<(import('rolldown').InputOptions & { output: import('rolldown').OutputOptions })[]>}
 */
export default async function bundles() {
  const command = 'bin/command.ts';
  const chunkOf = await chunksOf(command);
  /**
   * commander has a file of its own: within that of the command a `get` takes 5 % more processor time. What every start
   * needs besides is one more: else rolldown makes a file of each set of it that other files share, seven in all.
   *
   * @param {string} id
   */
  const name = (id) => {
    if (id.includes('/node_modules/commander/') || id === '\0no-programs') return 'commander';
    if (chunkOf.get(id) !== 'command') return chunkOf.get(id);
    return id.endsWith(`/${command}`) ? undefined : 'start';
  };
  const groups = [{ name, debugName: 'chunks' }];
  return [
    { ...program('bin/credstash.ts'), output: smallOutput },
    { ...program('src/cli/completion/watchdog.ts'), output: smallOutput },
    {
      ...program(command),
      output: { ...smallOutput, codeSplitting: { includeDependenciesRecursively: false, groups } },
    },
    library('es', 'dist/lib'),
    library('cjs', 'dist/cjs'),
  ];
}
