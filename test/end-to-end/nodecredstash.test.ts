import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/* What an application gets of the built package, by its name. */

const root = join(import.meta.dirname, '../..');
const node = (...args: string[]): string =>
  execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' });

it.each([
  ["const C = require('credstash-cli/nodecredstash');", 'commonjs'],
  ["const { CredStash: C } = require('credstash-cli/nodecredstash');", 'commonjs'],
  ["const C = require('credstash-cli/nodecredstash').default;", 'commonjs'],
  ["import C from 'credstash-cli/nodecredstash';", 'module'],
  ["import { CredStash as C } from 'credstash-cli/nodecredstash';", 'module'],
])('%s is the class, and loads nothing of the SDK', (line, type) => {
  // The SDK's packages are CommonJS, whoever loads them.
  const code = `${line}
    const loaded = Object.keys(process.getBuiltinModule('module')._cache);
    const sdk = loaded.filter((path) => path.includes('@aws-sdk'));
    new C().getSecret({}, (error) => console.log(C.name, error.code, sdk.length));`;
  expect(node(`--input-type=${type}`, '-e', code)).toBe('CredStash USAGE 0\n');
});
