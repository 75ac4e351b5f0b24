import { describe, expect, it } from 'vitest';
import {
  describeWeakness,
  generateValue,
  parseGenerate,
} from '../../../src/cli/options/random-value.ts';
import { hasCode } from '../../../src/errors.ts';

function refusal(...args: Parameters<typeof parseGenerate>): string {
  try {
    parseGenerate(...args);
  } catch (error) {
    if (hasCode(error, 'USAGE')) return error.message;
    throw error;
  }
  return expect.unreachable('not refused');
}

describe('a generated value', () => {
  it.each([
    ['32', undefined, /^[A-Za-z0-9]{32}$/],
    ['1', 'alnum', /^[A-Za-z0-9]$/],
    ['40', 'hex', /^[0-9a-f]{40}$/],
    ['4096', 'base64url', /^[\w-]{4096}$/],
    ['12', 'ab', /^[ab]{12}$/],
    ['20', 'é😀 \u0301', /^(?:é|😀| |\u0301){20}$/u],
  ])('of length %s and charset %s has these characters', (length, charset, expected) => {
    const request = parseGenerate(length, charset);
    const value = Buffer.from(generateValue(request)).toString();
    expect(value).toMatch(expected);
  });

  it('has each character equally often', () => {
    const request = parseGenerate('4096');
    const { characters } = request;
    const counts = new Map(characters.map((each) => [each, 0]));
    const rounds = 20;
    for (let i = 0; i < rounds; i += 1) {
      for (const each of Buffer.from(generateValue(request)).toString()) {
        counts.set(each, (counts.get(each) ?? 0) + 1);
      }
    }
    const mean = (rounds * 4096) / characters.length;
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - mean) ** 2 / mean, 0);
    expect(counts.size).toBe(characters.length);
    // Its mean is 61. A byte modulo 62 gives about 480; an unbiased generator gives 180 once in 10^13 runs.
    expect(chiSquare).toBeLessThan(180);
  });

  it('is another one each time', () => {
    const values = Array.from({ length: 100 }, () =>
      Buffer.from(generateValue(parseGenerate('16', 'hex'))).toString(),
    );
    expect(new Set(values).size).toBe(100);
  });

  it.each(['', '0', '4097', '-1', '1.5', '1e3', 'zQ7', ' 3', '99999', '0x10'])(
    'has no length %j',
    (length) => {
      expect(refusal(length)).toBe('the LENGTH of --generate is a whole number from 1 to 4096');
    },
  );

  it.each([
    ['', '--charset needs at least two characters'],
    ['😀', '--charset needs at least two characters'],
    ['zQ7z', '--charset has a character twice'],
    ['😀a😀', '--charset has a character twice'],
    ['HEX', '--charset does not know a set of this name'],
    ['base64', '--charset does not know a set of this name'],
    ['lower', '--charset does not know a set of this name'],
    ['constructor', '--charset has a character twice'],
  ])('has no charset %j', (charset, message) => {
    expect(refusal('32', charset)).toBe(message);
  });

  it('is called weak below 64 bits, with a length that is not', () => {
    expect(describeWeakness(parseGenerate('32'))).toBeUndefined();
    expect(describeWeakness(parseGenerate('16', 'hex'))).toBeUndefined();
    const weak = describeWeakness(parseGenerate('4', '0123456789'));
    expect(weak).toContain('can be guessed: its length is 4, from a set of 10 characters');
    const [, length = ''] = /--generate=(\d+)/.exec(weak ?? '') ?? [];
    expect(describeWeakness(parseGenerate(length, '0123456789'))).toBeUndefined();
  });
});
