import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareUtf8 } from '../../src/util/utf8.ts';
import { checkVersion, nextVersion, padVersion, listSpellings } from '../../src/model/version.ts';

const USAGE = expect.objectContaining({ code: 'USAGE', exitStatus: 2 }) as Error;
const NOT_NUMERIC = expect.objectContaining({
  code: 'VERSION_NOT_NUMERIC',
  exitStatus: 2,
}) as Error;

describe('padding [rule 3]', () => {
  it.each([
    ['1', '0000000000000000001'],
    ['1.9.1', '000000000000001.9.1'],
    ['🔑', '000000000000000000🔑'],
    ['0000000000000000001', '0000000000000000001'],
    ['20150422T120000Z-build-77', '20150422T120000Z-build-77'],
  ])('makes %s the %s of the table', (version, padded) => {
    expect(padVersion(version)).toBe(padded);
  });

  it('makes the order of numbers the order of texts', () => {
    const numbers = fc.bigInt({ min: 0n, max: 10n ** 19n - 1n });
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const order = Math.sign(compareUtf8(padVersion(String(a)), padVersion(String(b))));
        return order === (a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  it('gives both spellings under which an entry may stand, the padded one first', () => {
    expect(listSpellings('3')).toEqual(['0000000000000000003', '3']);
    expect(listSpellings('0000000000000000003')).toEqual(['0000000000000000003']);
  });
});

describe('a version that a user gave [rule 2]', () => {
  it.each(['', 'a\0b', '\ud800', 'x'.repeat(1025), '🔑'.repeat(257)])(
    '%j is refused',
    (version) => {
      expect(() => checkVersion(version)).toThrow(USAGE);
    },
  );

  it('is taken up to 1024 bytes', () => {
    expect(checkVersion('x'.repeat(1024))).toHaveLength(1024);
  });
});

describe('the next version [rule 6]', () => {
  it('is one higher, padded', () => {
    expect(nextVersion('n', '0000000000000000009')).toBe('0000000000000000010');
    expect(nextVersion('n', '20150422120000000000')).toBe('20150422120000000001');
  });

  it('always sorts after the one before it', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 19n - 2n }), (n) => {
        const current = padVersion(String(n));
        return compareUtf8(nextVersion('n', current), current) > 0;
      }),
    );
  });

  it.each(['000000000000001.9.1', 'latest', '-1', '1e3', '０００'])(
    'is refused after %s, no number',
    (current) => {
      expect(() => nextVersion('n', current)).toThrow(NOT_NUMERIC);
    },
  );

  it.each(['3', '9999999999999999999'])(
    'is refused after %s, which it would sort before',
    (current) => {
      expect(() => nextVersion('n', current)).toThrow(NOT_NUMERIC);
      expect(() => nextVersion('n', current)).toThrow('never be the newest');
    },
  );
});
