import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findLiteralPrefixes, matchesGlob, checkGlob } from '../../src/model/glob.ts';

describe('a glob', () => {
  it.each([
    ['*', 'anything', true],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['app.*', 'app.db', true],
    ['app.*', 'app.', true],
    ['app.*', 'appXdb', false],
    ['app.*', 'my.app.db', false],
    ['*.db', 'app.db', true],
    ['*.db', 'app.db2', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*a*b*', 'xaybz', true],
    ['*b*a*', 'ab', false],
    ['a.c', 'abc', false],
    ['a[bc]', 'ab', false],
    ['a[bc]', 'a[bc]', true],
    ['a?c', 'abc', false],
    ['a**b', 'ab', true],
    ['a*\n', 'a\n', true],
  ])('%j against %j is %j', (glob, name, expected) => {
    expect(matchesGlob(glob, name)).toBe(expected);
  });

  it('agrees with the regular expression that says the same', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
    const globs = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 });
    fc.assert(
      fc.property(globs, letters, (glob, name) => {
        const source = glob.split('*').map((part) => part.replaceAll('.', '\\.'));
        expect(matchesGlob(glob, name)).toBe(new RegExp(`^${source.join('[^]*')}$`).test(name));
      }),
      { numRuns: 2000 },
    );
  });

  it('that no name can match is refused before anything is read', () => {
    const usage = expect.objectContaining({ code: 'USAGE' }) as Error;
    for (const glob of [`*${'x'.repeat(2049)}`, 'ü*'.repeat(1025), 'a\ud800*', '*\0']) {
      expect(() => checkGlob(glob)).toThrow(usage);
    }
    expect(checkGlob(`${'x'.repeat(2048)}*`)).toHaveLength(2049);
    expect(checkGlob('*'.repeat(100_000))).toBe('*');
    expect(checkGlob('a**b***')).toBe('a*b*');
  });

  it('have the fewest prefixes that hold for all of them, and 100 at most', () => {
    const cases: [globs: string[], prefixes: string[]][] = [
      [[], []],
      [['app.*'], ['app.']],
      [
        ['b*', 'a', 'a*x'],
        ['a', 'b'],
      ],
      [
        ['app.b*', 'app*', 'app.a*', 'apq*'],
        ['app', 'apq'],
      ],
      [['app.*', '*'], ['']],
      [
        ['\u{10000}*', '\uffff*', '\u{10000}a*'],
        ['\u{10000}', '\uffff'],
      ],
    ];
    for (const [globs, prefixes] of cases) expect(findLiteralPrefixes(globs)).toEqual(prefixes);
    const many = Array.from({ length: 101 }, (_, i) => `${100 + i}.*`);
    expect(findLiteralPrefixes(many.slice(1))).toHaveLength(100);
    expect(findLiteralPrefixes(many)).toEqual(['']);
    const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 4 }));
    const names = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 5 });
    fc.assert(
      fc.property(texts, names, (globs, name) => {
        const isUnder = findLiteralPrefixes(globs).some((prefix) => name.startsWith(prefix));
        const isWanted = globs.some((glob) => matchesGlob(glob, name));
        expect(isUnder || !isWanted).toBe(true);
      }),
    );
  });

  it('of many stars does not stall', () => {
    expect(matchesGlob(`${'a*'.repeat(200)}b`, 'a'.repeat(5000))).toBe(false);
  });
});
