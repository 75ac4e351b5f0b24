import { defineConfig } from 'oxlint';

/*
 * RECOMMENDED is ESLint's set of that name for TypeScript. STRICT and TYPED are typescript-eslint's `strictTypeChecked`; those of TYPED
 * look at types. oxlint has no name for these sets. `typeCheck` also reports what the compiler would.
 */
const RECOMMENDED = [
  'for-direction',
  'no-array-constructor',
  'no-async-promise-executor',
  'no-case-declarations',
  'no-compare-neg-zero',
  'no-cond-assign',
  'no-console',
  'no-constant-binary-expression',
  'no-constant-condition',
  'no-control-regex',
  'no-debugger',
  'no-delete-var',
  'no-dupe-else-if',
  'no-duplicate-case',
  'no-empty',
  'no-empty-character-class',
  'no-empty-pattern',
  'no-empty-static-block',
  'no-ex-assign',
  'no-extra-boolean-cast',
  'no-fallthrough',
  'no-global-assign',
  'no-invalid-regexp',
  'no-irregular-whitespace',
  'no-loss-of-precision',
  'no-misleading-character-class',
  'no-nonoctal-decimal-escape',
  'no-prototype-builtins',
  'no-regex-spaces',
  'no-self-assign',
  'no-shadow-restricted-names',
  'no-sparse-arrays',
  'no-unassigned-vars',
  'no-unexpected-multiline',
  'no-unsafe-finally',
  'no-unsafe-optional-chaining',
  'no-unused-expressions',
  'no-unused-labels',
  'no-unused-private-class-members',
  'no-useless-assignment',
  'no-useless-backreference',
  'no-useless-catch',
  'no-useless-constructor',
  'no-useless-escape',
  'no-var',
  'prefer-const',
  'prefer-rest-params',
  'prefer-spread',
  'preserve-caught-error',
  'require-yield',
  'use-isnan',
  'valid-typeof',
];
const STRICT = [
  'typescript/consistent-type-imports',
  'typescript/no-duplicate-enum-values',
  'typescript/no-dynamic-delete',
  'typescript/no-empty-object-type',
  'typescript/no-explicit-any',
  'typescript/no-extra-non-null-assertion',
  'typescript/no-extraneous-class',
  'typescript/no-invalid-void-type',
  'typescript/no-misused-new',
  'typescript/no-namespace',
  'typescript/no-non-null-asserted-nullish-coalescing',
  'typescript/no-non-null-asserted-optional-chain',
  'typescript/no-non-null-assertion',
  'typescript/no-require-imports',
  'typescript/no-this-alias',
  'typescript/no-unnecessary-type-constraint',
  'typescript/no-unsafe-declaration-merging',
  'typescript/no-unsafe-function-type',
  'typescript/no-wrapper-object-types',
  'typescript/prefer-as-const',
  'typescript/prefer-literal-enum-member',
  'typescript/prefer-namespace-keyword',
  'typescript/triple-slash-reference',
  'typescript/unified-signatures',
];
const TYPED = [
  'typescript/await-thenable',
  'typescript/no-array-delete',
  'typescript/no-base-to-string',
  'typescript/no-confusing-void-expression',
  'typescript/no-deprecated',
  'typescript/no-duplicate-type-constituents',
  'typescript/no-floating-promises',
  'typescript/no-for-in-array',
  'typescript/no-generated-empty-object-type',
  'typescript/no-implied-eval',
  'typescript/no-meaningless-void-operator',
  'typescript/no-misused-promises',
  'typescript/no-misused-spread',
  'typescript/no-mixed-enums',
  'typescript/no-redundant-type-constituents',
  'typescript/no-unnecessary-boolean-literal-compare',
  'typescript/no-unnecessary-condition',
  'typescript/no-unnecessary-template-expression',
  'typescript/no-unnecessary-type-arguments',
  'typescript/no-unnecessary-type-assertion',
  'typescript/no-unnecessary-type-conversion',
  'typescript/no-unnecessary-type-parameters',
  'typescript/no-unsafe-argument',
  'typescript/no-unsafe-assignment',
  'typescript/no-unsafe-call',
  'typescript/no-unsafe-enum-comparison',
  'typescript/no-unsafe-member-access',
  'typescript/no-unsafe-return',
  'typescript/no-unsafe-unary-minus',
  'typescript/no-useless-default-assignment',
  'typescript/only-throw-error',
  'typescript/prefer-promise-reject-errors',
  'typescript/prefer-reduce-type-parameter',
  'typescript/prefer-return-this-type',
  'typescript/related-getter-setter-pairs',
  'typescript/require-await',
  'typescript/switch-exhaustiveness-check',
  'typescript/unbound-method',
  'typescript/use-unknown-in-catch-callback-variable',
];

/*
 * Imports point inward (docs/contributing/architecture.md). Each zone is a room or a file of src/, and says what it may not import; a later
 * zone replaces an earlier one for the files of both.
 */
const sdk = {
  group: ['@aws-sdk/*', '@smithy/*'],
  message: 'Only src/backend/aws names the AWS SDK.',
};
const embedded = {
  group: ['libsql', 'node:sqlite'],
  message: 'Only src/backend/local names the embedded store.',
};
const aes = {
  group: ['@noble/*'],
  message: 'Only src/seal names AES, and the vault, which wraps data keys with it.',
};
const commander = {
  group: ['commander'],
  message: 'Only src/cli knows the grammar of command lines.',
};
const credstash = {
  group: ['**/credstash.ts', '**/session.ts', '**/secret-cache.ts'],
  message: 'Operations, backends and all that is further inward do not know class Credstash.',
};
const backends = {
  regex: '/(aws|local|memory)/',
  allowTypeImports: true,
  message: 'Only two files of src/calls/ load a backend; everything else knows the interfaces.',
};
/** @param {string[]} names of folders in src/backend */
const otherBackends = (...names) => ({
  regex: `/(${names.join('|')})/`,
  message: 'A backend does not know the others.',
});
/** The folders of src/, from the outside inward. */
const ROOMS = [
  'cli',
  'nodecredstash',
  'calls',
  'operations',
  'format',
  'backend',
  'seal',
  'model',
  'util',
];
/** @param {string[]} allowed the rooms that a zone may import, besides itself */
const onlyRooms = (...allowed) => ({
  regex: `^\\.\\.?/(\\.\\./)*(${ROOMS.filter((room) => !allowed.includes(room)).join('|')})/`,
  message: `Imports point inward: from here only to ${allowed.join(', ') || 'no other room'}.`,
});

const outside = [sdk, embedded, aes, commander];
const core = [...outside, credstash, backends];
const inner = ['seal', 'model', 'util'];

const zones = [
  {
    files: ['src/*.ts'],
    forbidden: [...outside, backends, onlyRooms('calls', 'operations', 'backend', ...inner)],
  },
  {
    files: ['src/calls/**'],
    forbidden: [...outside, backends, onlyRooms('calls', 'operations', 'backend', 'model', 'util')],
  },
  {
    files: ['src/calls/open-backends.ts', 'src/calls/fallback-reads.ts'],
    forbidden: [...outside, onlyRooms('calls', 'operations', 'backend', 'model', 'util')],
  },
  { files: ['src/errors.ts'], forbidden: [...core, onlyRooms('model', 'util')] },
  { files: ['src/util/**'], forbidden: [...core, onlyRooms('util')] },
  { files: ['src/model/**'], forbidden: [...core, onlyRooms('model', 'util')] },
  {
    files: ['src/seal/**'],
    forbidden: [sdk, embedded, commander, credstash, backends, onlyRooms(...inner)],
  },
  { files: ['src/format/**'], forbidden: [...core, onlyRooms('format', 'model', 'util')] },
  { files: ['src/backend/*.ts'], forbidden: [...core, onlyRooms('backend', 'model', 'util')] },
  {
    files: ['src/backend/aws/**'],
    forbidden: [
      embedded,
      aes,
      commander,
      credstash,
      otherBackends('local', 'memory'),
      onlyRooms('backend', 'model', 'util'),
    ],
  },
  {
    files: ['src/backend/local/**', 'src/backend/memory/**'],
    forbidden: [sdk, commander, credstash, otherBackends('aws'), onlyRooms('backend', ...inner)],
  },
  {
    files: ['src/operations/**'],
    forbidden: [...core, onlyRooms('operations', 'backend', ...inner)],
  },
  {
    files: ['src/nodecredstash/**'],
    forbidden: [...outside, backends, onlyRooms('nodecredstash', 'backend', 'model', 'util')],
  },
  {
    files: ['src/cli/**'],
    forbidden: [
      ...[sdk, embedded, aes, backends],
      onlyRooms('cli', 'calls', 'operations', 'format', 'backend', 'model', 'util'),
    ],
  },
];

/** @param {string[]} rules */
const errors = (rules) =>
  Object.fromEntries(rules.map((rule) => [rule, /** @type {const} */ ('error')]));

/** @type {Record<string, any>} */
const typed = {
  ...errors(TYPED),
  'typescript/restrict-plus-operands': [
    'error',
    {
      allowAny: false,
      allowBoolean: false,
      allowNullish: false,
      allowNumberAndString: false,
      allowRegExp: false,
    },
  ],
  // Numbers in a message are as safe as texts.
  'typescript/restrict-template-expressions': ['error', { allowNumber: true }],
  'typescript/return-await': ['error', 'error-handling-correctness-only'],
};

export default defineConfig({
  plugins: ['typescript'],
  categories: { correctness: 'off' },
  options: { typeAware: true, typeCheck: true },
  ignorePatterns: ['dist', '.cache', 'coverage'],
  rules: {
    ...errors([...RECOMMENDED, ...STRICT]),
    ...typed,
    'typescript/ban-ts-comment': ['error', { minimumDescriptionLength: 10 }],
    'no-console': 'error',
    'no-unused-vars': ['error', { varsIgnorePattern: '^_+$', argsIgnorePattern: '^_$' }],
  },
  overrides: [
    ...zones.map(({ files, forbidden }) => ({
      files,
      rules: {
        'no-restricted-imports': /** @type {[any, any]} */ (['error', { patterns: forbidden }]),
      },
    })),
    {
      files: ['src/**'],
      excludeFiles: ['src/cli/terminal/io.ts'],
      rules: {
        'no-restricted-properties': [
          'error',
          ...['stdin', 'stdout', 'stderr', 'exit', 'exitCode'].map((property) => ({
            object: 'process',
            property,
            message:
              'Only src/cli/terminal/io.ts touches the streams, and only bin sets the exit status.',
          })),
        ],
      },
    },
    {
      // They count their arguments. A rest parameter would be part of the API's types.
      files: ['src/credstash.ts', 'src/secret-cache.ts', 'src/calls/secret-reader.ts'],
      rules: { 'prefer-rest-params': 'off' },
    },
    { files: ['examples/**'], rules: { 'no-console': 'off' } },
    {
      // They declare types in comments, and use untyped values such as parsed JSON.
      files: ['**/*.js'],
      rules: Object.fromEntries(Object.keys(typed).map((rule) => [rule, 'off'])),
    },
  ],
});
