import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Imports point inward: cli -> credstash -> seal, entry (docs/architecture.md). Each call forbids, for some
 * files, the modules that only others may name.
 */
const forbid = (files, ignores, patterns) => ({
  files,
  ignores,
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
});

const sdk = {
  group: ['@aws-sdk/*', '@smithy/*'],
  message: 'Only src/backend/aws names the AWS SDK.',
};
const embedded = {
  group: ['libsql', 'node:sqlite'],
  message: 'Only src/backend/local names the embedded store.',
};
const noble = { group: ['@noble/*'], message: 'AES is called in src/aes.ts alone.' };
const cli = {
  group: ['**/cli/*', 'commander'],
  message: 'Nothing outside src/cli imports the command line.',
};
const backends = {
  regex: '/backend/(aws|local)/',
  allowTypeImports: false,
  message: 'A flow sees the two interfaces only; src/cli/backend.ts chooses a backend.',
};
const inner = { group: ['**/credstash.ts'], message: 'The inner modules do not know the flows.' };

export default defineConfig(
  { ignores: ['dist', '.cache', 'coverage'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-console': 'error',
    },
  },
);
