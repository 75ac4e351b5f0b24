import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkK8sName } from '../../src/format/k8s.ts';
import { describeWithPython, python } from '../support/python.ts';
import { seed } from '../support/seed.ts';
import { anyText, binary, examples, pairsOf, refusal, secrets, textFrom } from './secrets.ts';
import { formatK8s } from '../support/formats.ts';

const key = fc.oneof(
  textFrom('aZ019-_.eE', 'yes', 'null', '0x', '1e').filter(
    (key) => key !== '' && key !== '.' && !key.startsWith('..'),
  ),
  fc.constantFrom(
    'yes',
    'NO',
    'on',
    'null',
    'true',
    '007',
    '1e3',
    '1.5',
    '.inf',
    '0x1F',
    '-',
    '---',
    '2026-11-23',
    '_',
    'k'.repeat(253),
  ),
);
// Base64 that is a number, a truth or null to a parser: four characters of it are three bytes.
const value = fc.oneof(
  fc.constantFrom(
    ...['null', 'true', 'TRUE', '1234', '12e3', '0x1f', '0o17', 'NULL', '+123'].map((base64) =>
      Buffer.from(base64, 'base64'),
    ),
  ),
  binary,
  anyText.map((text) => Buffer.from(text)),
);
const pairs = pairsOf(key, value);

/** The manifest that is meant. */
function manifest(pairs: readonly (readonly [string, Uint8Array])[], name = 'credstash'): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    type: 'Opaque',
    data: Object.fromEntries(
      pairs.map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
  };
}

describe('k8s', () => {
  it('is the manifest of a Secret, in YAML', () => {
    const text = formatK8s(
      secrets({ 'db.password': 's3cr3t', 'tls.key': Uint8Array.of(0xff, 0), yes: '' }),
      { k8sName: 'my.app-1' },
    );
    expect(text).toBe(
      `apiVersion: v1
kind: Secret
metadata:
  name: my.app-1
type: Opaque
data:
  db.password: czNjcjN0
  tls.key: /wA=
  'yes': ''
`,
    );
    expect(parse(formatK8s([]))).toEqual(manifest([]));
  });

  it.each(['1.1', '1.2'] as const)('is read back as the same bytes, by YAML %s', (version) => {
    fc.assert(
      fc.property(pairs, (pairs) => {
        const text = formatK8s(secrets(pairs));
        expect(parse(text, { version }), text).toEqual(manifest(pairs));
      }),
      { numRuns: 500 },
    );
  });

  it('names each secret whose name can be no key', async () => {
    const names = ['.', '..', '..a', 'a b', 'a/b', 'é', 'a:', 'k'.repeat(254)];
    const [message, ...reasons] = await refusal(() =>
      formatK8s(secrets([['fine', 'zQ7'], ...names.map((name) => [name, 'zQ7'] as const)])),
    );
    expect(message).toBe(`k8s cannot hold ${names.length} of the secrets`);
    expect(reasons.sort()).toEqual(
      names
        .map(
          (name) =>
            `${name}: a key of Kubernetes has up to 253 of A-Z a-z 0-9 - _ . and does not begin with ..`,
        )
        .sort(),
    );
  });

  it('holds 1 MiB, and no more', () => {
    const half = 'x'.repeat(524_288);
    expect(parse(formatK8s(secrets({ a: half, b: half })))).toMatchObject({ kind: 'Secret' });
    expect(() => formatK8s(secrets({ a: half, b: `${half}x` }))).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE' }) as Error,
    );
  });

  it('takes the names that Kubernetes takes for a Secret', async () => {
    for (const name of [
      'a',
      '1',
      'a-b',
      'a.b',
      '1.2.3',
      'a--b',
      'x'.repeat(253),
      `${'x'.repeat(100)}.y`,
    ]) {
      expect(checkK8sName(name)).toBe(name);
    }
    // `null` is a text in the manifest, too.
    expect(parse(formatK8s([], { k8sName: 'null' }))).toEqual(manifest([], 'null'));
    for (const name of [
      '',
      'A',
      '-a',
      'a-',
      '.a',
      'a.',
      'a..b',
      'a.-b',
      'a-.b',
      'a_b',
      'é',
      'a b',
      'a\n',
      'x'.repeat(254),
    ]) {
      expect(await refusal(() => formatK8s([], { k8sName: name })), name).toHaveLength(1);
    }
  });

  it('is checked at once for a name that is nearly one', { timeout: 60_000 }, async () => {
    for (const run of ['a-', 'a.', '-', 'a']) {
      const name = `${run.repeat(200_000)}!`;
      expect(await refusal(() => checkK8sName(name.slice(0, 252) + '!'))).toHaveLength(1);
      expect(await refusal(() => checkK8sName(name))).toHaveLength(1);
    }
  });
});

describeWithPython('k8s', () => {
  it('is read back by PyYAML as the same bytes', () => {
    const all = examples(pairs, 300);
    const read = python(
      'result = [yaml.safe_load(text) for text in data]',
      all.map((pairs) => formatK8s(secrets(pairs))),
    );
    expect(read, `SEED=${seed}`).toEqual(all.map((pairs) => manifest(pairs)));
  });
});
