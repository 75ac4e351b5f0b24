import { defineConfig } from 'oxlint';

/*
 * RECOMMENDED is ESLint's set of that name for TypeScript, and STRICT is typescript-eslint's `strictTypeChecked`. oxlint has no name for
 * them. `typeCheck` also reports what the compiler would.
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
  'await-thenable',
  'consistent-type-imports',
  'no-array-delete',
  'no-base-to-string',
  'no-confusing-void-expression',
  'no-deprecated',
  'no-duplicate-enum-values',
  'no-duplicate-type-constituents',
  'no-dynamic-delete',
  'no-empty-object-type',
  'no-explicit-any',
  'no-extra-non-null-assertion',
  'no-extraneous-class',
  'no-floating-promises',
  'no-for-in-array',
  'no-generated-empty-object-type',
  'no-implied-eval',
  'no-invalid-void-type',
  'no-meaningless-void-operator',
  'no-misused-new',
  'no-misused-promises',
  'no-misused-spread',
  'no-mixed-enums',
  'no-namespace',
  'no-non-null-asserted-nullish-coalescing',
  'no-non-null-asserted-optional-chain',
  'no-non-null-assertion',
  'no-redundant-type-constituents',
  'no-require-imports',
  'no-this-alias',
  'no-unnecessary-boolean-literal-compare',
  'no-unnecessary-condition',
  'no-unnecessary-template-expression',
  'no-unnecessary-type-arguments',
  'no-unnecessary-type-assertion',
  'no-unnecessary-type-constraint',
  'no-unnecessary-type-conversion',
  'no-unnecessary-type-parameters',
  'no-unsafe-argument',
  'no-unsafe-assignment',
  'no-unsafe-call',
  'no-unsafe-declaration-merging',
  'no-unsafe-enum-comparison',
  'no-unsafe-function-type',
  'no-unsafe-member-access',
  'no-unsafe-return',
  'no-unsafe-unary-minus',
  'no-useless-default-assignment',
  'no-wrapper-object-types',
  'only-throw-error',
  'prefer-as-const',
  'prefer-literal-enum-member',
  'prefer-namespace-keyword',
  'prefer-promise-reject-errors',
  'prefer-reduce-type-parameter',
  'prefer-return-this-type',
  'related-getter-setter-pairs',
  'require-await',
  'switch-exhaustiveness-check',
  'triple-slash-reference',
  'unbound-method',
  'unified-signatures',
  'use-unknown-in-catch-callback-variable',
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
  ...errors(STRICT.map((rule) => `typescript/${rule}`)),
  'typescript/ban-ts-comment': ['error', { minimumDescriptionLength: 10 }],
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
    ...errors(RECOMMENDED),
    ...typed,
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
      // Their types stand in comments, and values such as parsed JSON have none.
      files: ['**/*.js'],
      rules: Object.fromEntries(Object.keys(typed).map((rule) => [rule, 'off'])),
    },
  ],
});
