import { expect, it } from 'vitest';
import { SECRET_FORMATS } from '../../src/format/index.ts';
import { numbered, secrets } from './secrets.ts';

/*
 * The command writes an output in pieces, so that the texts of many large secrets are not in memory at once.
 */

const formats = Object.entries(SECRET_FORMATS);
const values = ['one', 'two', 'three'];

it.each(formats)('%s makes a piece for each secret, when it is asked for', (_, format) => {
  const all = numbered(values);
  const pieces = format(all)[Symbol.iterator]();
  // The beginning may be a piece of its own.
  const first = String(pieces.next().value) + String(pieces.next().value);
  expect(first).not.toContain('three');
  // What is made later has the value of then.
  all[2]?.value.set(Buffer.from('later'));
  const rest: string[] = [];
  for (let next = pieces.next(); !next.done; next = pieces.next()) rest.push(next.value);
  const printed = rest.join('');
  expect(printed).toContain(printed.includes('bGF0ZX') ? 'bGF0ZX' : 'later');
});

it.each(formats)('%s gives the same output when it is iterated again', (_, format) => {
  const output = format(numbered(values));
  // github puts something random around a value.
  const read = (): string => [...output].join('').replace(/credstash-[-0-9a-f]{36}/g, '');
  expect(read()).toBe(read());
});

it.each(formats.filter(([name]) => !['json', 'yaml', 'k8s'].includes(name)))(
  '%s refuses what it cannot hold before the first piece',
  (_, format) => {
    const last = { name: 'z', value: Uint8Array.of(0xff) };
    expect(() => format([...secrets({ a: 'x' }), last])).toThrow('cannot hold 1 of the secrets');
  },
);
