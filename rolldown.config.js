// One CommonJS bundle, split at each dynamic import: what a command line does not need is not even read
// from disk. CommonJS starts faster than ESM here, and a code cache can be laid over it later.
/** @type {import('rolldown').InputOptions & { output: import('rolldown').OutputOptions }} */
export default {
  input: 'bin/credstash.ts',
  platform: 'node',
  // The embedded store's native driver cannot be bundled, and is needed only where node:sqlite is missing.
  external: ['libsql'],
  resolve: { mainFields: ['module', 'main'], conditionNames: ['module', 'import', 'node'] },
  output: {
    dir: 'dist/bin',
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'chunks/[name]-[hash].cjs',
    minify: false,
  },
};
