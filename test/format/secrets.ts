import fc from 'fast-check';
import { inspect } from 'node:util';
import { expect } from 'vitest';
import { parse } from 'yaml';
import type { Secret } from '../../src/entry.ts';
import { CredstashError } from '../../src/errors.ts';
import { compareUtf8 } from '../../src/utf8.ts';

type Pairs<Value> = Iterable<readonly [name: string, value: Value]>;

/** Secrets of these names and values, in the order in which Credstash.getAll gives them. */
export function secrets(
  values: Readonly<Record<string, string | Uint8Array>> | Pairs<string | Uint8Array>,
): Secret[] {
  const pairs = Symbol.iterator in values ? [...values] : Object.entries(values);
  return pairs
    .map(([name, value]) => ({ name, value: Buffer.from(value) }))
    .sort((a, b) => compareUtf8(a.name, b.name));
}

/** Any text that has a UTF-8 form. */
export const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string());

/** Texts of these pieces, short enough for every combination to come up. */
export function textOf(...pieces: string[]): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...pieces), maxLength: 12 });
}

/** Bytes that are no UTF-8. */
export const binary = fc
  .uint8Array()
  .map((bytes) => Buffer.concat([bytes, Uint8Array.of(0xff)]))
  .chain((bytes) => fc.nat(bytes.length).map((at) => Buffer.from([...bytes].reverse()).subarray(0, at + 1)))
  .filter((bytes) => !bytes.equals(Buffer.from(bytes.toString())));

/** Pairs of any names, each once, and these values. */
export function pairsOf<Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<[string, Value][]> {
  return fc.uniqueArray(fc.tuple(anyText, value), { selector: ([name]) => name });
}

/** Repeats a batch: FC_SEED=… */
export const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

/** A batch of examples, for what one by one would start Python thousands of times. */
export function examples<T>(arbitrary: fc.Arbitrary<T>, count: number): T[] {
  return fc.sample(arbitrary, { seed, numRuns: count });
}
