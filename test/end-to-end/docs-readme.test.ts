import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { textOf } from '../support/documents.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import { testPage } from './run-page.ts';

const INSTALLS = 'test/end-to-end/install.test.ts installs it so';

testPage('README.md', {
  aws: 'DynamoDB Local',
  before: "printf '{{ credstash://db.password | json }}' >app.yaml.tpl",
  standIns: ['psql', 'node'],
  notRun: {
    'npm ci && npm run quickstart': '.ci/run runs it, in a fresh clone',
    'npm ci && npm run build && npm link': INSTALLS,
    'npm ci && npm run build && npm pack': INSTALLS,
    'npm ci && npm test': 'this test is a part of it',
  },
});

test('the README can be read in ten minutes', () => {
  const text = textOf('README.md');
  const lines = text.trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(150);
  expect(lines.filter((line) => line.length > 100)).toEqual([]);
  expect(text.split(/\s+/).length).toBeLessThanOrEqual(1500);
});

describeUnless(programMissing('script', '--version'), 'docs/demo.svg', () => {
  test('shows what the command prints', () => {
    const root = join(import.meta.dirname, '../..');
    const record = ['scripts/record-demo.js', '--check'];
    expect(execFileSync(process.execPath, record, { cwd: root, encoding: 'utf8' })).toBe('');
  });
});
