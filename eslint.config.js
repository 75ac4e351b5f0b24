import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/*
 * Imports point inward: cli -> credstash -> seal, entry (docs/architecture.md). Each row of `zones` names what
 * the files of a zone may not import; a later row replaces an earlier one for the files of both.
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
  message: 'AES is for src/seal, and for the vault to wrap data keys.',
};
const cli = {
  group: ['**/cli/**', 'commander'],
  message: 'Nothing but bin imports the command line.',
};
const flows = {
  group: ['**/credstash.ts', '**/flows.ts'],
  message: 'What the flows stand on does not know them.',
};
const backends = {
  regex: '/(aws|local)/',
  allowTypeImports: true,
  message: 'Only src/credstash.ts chooses a backend; a flow sees the two interfaces.',
};

const zones = [
  { files: ['src/**'], forbidden: [sdk, embedded, aes, cli, flows, backends] },
  { files: ['src/seal/**'], forbidden: [sdk, embedded, cli, flows, backends] },
  { files: ['src/flows.ts'], forbidden: [sdk, embedded, aes, cli, backends] },
  { files: ['src/credstash.ts'], forbidden: [sdk, embedded, aes, cli] },
  { files: ['src/index.ts'], forbidden: [sdk, embedded, aes, cli] },
  { files: ['src/nodecredstash/index.ts'], forbidden: [sdk, embedded, aes, cli, backends] },
  { files: ['src/backend/aws/**'], forbidden: [embedded, aes, cli, flows] },
  { files: ['src/backend/local/**'], forbidden: [sdk, cli, flows] },
  { files: ['src/cli/**'], forbidden: [sdk, embedded, aes, backends] },
];

const recursiveMkdir = {
  selector: "CallExpression[callee.name=/^mkdir/] Property[key.name='recursive']",
  message: 'It may never return: see src/util/make-folders.ts.',
};

export default defineConfig(
  { ignores: ['dist', '.cache', 'coverage'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Numbers in a message are as safe as texts.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { varsIgnorePattern: '^_+$', argsIgnorePattern: '^_$' },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-console': 'error',
    },
  },
  zones.map(({ files, forbidden }) => ({
    files,
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: forbidden }] },
  })),
  {
    files: ['src/**'],
    ignores: ['src/cli/terminal/io.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            "MemberExpression[object.name='process'][property.name=/^(stdin|stdout|stderr|exit|exitCode)$/]",
          message:
            'Only src/cli/terminal/io.ts touches the streams, and only bin sets the exit status.',
        },
        recursiveMkdir,
      ],
    },
  },
  { files: ['bin/**'], rules: { 'no-restricted-syntax': ['error', recursiveMkdir] } },
  { files: ['examples/**'], rules: { 'no-console': 'off' } },
  {
    files: ['**/*.js'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { globals: { process: 'readonly', Buffer: 'readonly' } },
  },
);
