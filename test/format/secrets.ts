import fc from 'fast-check';
import { inspect } from 'node:util';
import { expect } from 'vitest';
import { parse } from 'yaml';
import type { Secret } from '../../src/model/entry.ts';
import { CredstashError } from '../../src/errors.ts';
import { compareUtf8 } from '../../src/util/utf8.ts';
import { seed } from '../support/seed.ts';
import { anyCharacter } from '../support/any-text.ts';

/** Secrets of these names and values, in the order in which Credstash.getAll gives them. */
export function secrets(
  values:
    | Readonly<Record<string, string | Uint8Array>>
    | Iterable<readonly [name: string, value: string | Uint8Array]>,
): Secret[] {
  const pairs = Symbol.iterator in values ? [...values] : Object.entries(values);
  return pairs
    .map(([name, value]) => ({ name, value: Buffer.from(value) }))
    .sort((a, b) => compareUtf8(a.name, b.name));
}

/** Secrets of these values, named k0, k1 and so on. */
export function numbered(values: readonly (string | Uint8Array)[]): Secret[] {
  return secrets(values.map((value, i): [string, string | Uint8Array] => [`k${i}`, value]));
}

/** Any text that has a UTF-8 form. */
export const anyText = fc.oneof(fc.string({ unit: anyCharacter }), fc.string());

/** Texts of these characters and pieces, short enough for every combination to come up. */
export function textFrom(characters: string, ...pieces: string[]): fc.Arbitrary<string> {
  const unit = fc.constantFrom(...Array.from(characters), ...pieces);
  return fc.string({ unit, maxLength: 12 });
}

/** Bytes that are no UTF-8: it has no byte ff. */
export const binary = fc
  .tuple(fc.uint8Array(), fc.uint8Array())
  .map(([before, after]) => Buffer.from([...before, 0xff, ...after]));

/** Pairs of such names, each once, and such values. */
export function pairsOf<Value>(
  name: fc.Arbitrary<string>,
  value: fc.Arbitrary<Value>,
): fc.Arbitrary<[string, Value][]> {
  return fc.uniqueArray(fc.tuple(name, value), { selector: ([name]) => name });
}

/** A batch of examples, for what would start Python once for each. */
export function examples<T>(arbitrary: fc.Arbitrary<T>, count: number): T[] {
  return fc.sample(arbitrary, { seed, numRuns: count });
}

// Numbers and dates of parsers that the tests do not run, or nearly so: Go's 0X1F, 1:99, _1, a date and more text.
const CAUTION = [
  /^[-+]?(?:0[BOX][0-9A-F_]+|[0-9_:.]*(?:E[-+]?[0-9]+)?)$/i,
  /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[Tt \t]/,
];

/** Whether some parser of YAML may take `text`, without quotes, for another type. */
export function isOtherType(text: string): boolean {
  const otherIn = (version: '1.1' | '1.2'): boolean => {
    try {
      return typeof parse(text, { version, logLevel: 'error' }) !== 'string';
    } catch {
      return false;
    }
  };
  return CAUTION.some((type) => type.test(text)) || otherIn('1.1') || otherIn('1.2');
}

/**
 * Runs what is refused with USAGE: the message, and those of `failures`. zQ7 and 8675309, which stand in values, are
 * nowhere in the error.
 */
export async function refusal(run: () => unknown): Promise<string[]> {
  const error: unknown = await Promise.resolve()
    .then(run)
    .then(
      (value) => expect.unreachable(`not refused: ${inspect(value)}`),
      (error: unknown) => error,
    );
  if (!(error instanceof CredstashError)) throw error;
  expect(error.code).toBe('USAGE');
  const all = inspect(error, { depth: null, showHidden: true, maxStringLength: null });
  expect(all).not.toMatch(/zQ7|8675309/);
  return [error.message, ...error.failures.map(({ name, error }) => `${name}: ${error.message}`)];
}
