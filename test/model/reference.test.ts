import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkContext } from '../../src/model/context.ts';
import { CredstashError } from '../../src/errors.ts';
import {
  addSharedContext,
  isReference,
  parseReference,
  parseReferences,
} from '../../src/model/reference.ts';
import { anyCharacter } from '../support/any-text.ts';

const usage = (said: string | RegExp): Error =>
  expect.objectContaining({
    code: 'USAGE',
    message: expect.stringMatching(said) as string,
  }) as Error;

describe('a reference', () => {
  it.each([
    ['credstash://db.password', { name: 'db.password', context: {} }],
    ['credstash://a/b//c', { name: 'a/b//c', context: {} }],
    ['credstash://a+b', { name: 'a+b', context: {} }],
    ['credstash://app.*', { name: 'app.*', context: {} }],
    ['credstash://a=b&c', { name: 'a=b&c', context: {} }],
    ['credstash://a%20b%2Fc%23%3f', { name: 'a b/c#?', context: {} }],
    ['credstash://%E5%90%8D前', { name: '名前', context: {} }],
    ['credstash://credstash://a', { name: 'credstash://a', context: {} }],
    ['credstash://a#b', { name: 'a', field: 'b', context: {} }],
    ['credstash://a%23b#c%23%3F%20=&', { name: 'a#b', field: 'c#? =&', context: {} }],
    ['credstash://a?version=3#b', { name: 'a', version: '3', field: 'b', context: {} }],
    ['credstash://a?label=l#%2Fb%7E1', { name: 'a', label: 'l', field: '/b~1', context: {} }],
    ['credstash://a?k=v%23w#/b/0', { name: 'a', field: '/b/0', context: { k: 'v#w' } }],
    ['credstash://a#/', { name: 'a', field: '/', context: {} }],
    ['credstash://a#~', { name: 'a', field: '~', context: {} }],
    ['credstash://a?version=3', { name: 'a', version: '3', context: {} }],
    ['credstash://a?%76ersion=1%2B2', { name: 'a', version: '1+2', context: {} }],
    ['credstash://a?env=prod&b=x=y', { name: 'a', context: { env: 'prod', b: 'x=y' } }],
    [
      'credstash://a?env=a%26b%3D%25&version=2&q=?+',
      { name: 'a', version: '2', context: { env: 'a&b=%', q: '?+' } },
    ],
  ])('%s', (text, expected) => {
    expect(parseReference(text)).toEqual({
      ...expected,
      context: Object.assign(Object.create(null) as object, expected.context),
    });
  });

  it.each([
    ['db.password', 'does not begin with credstash://'],
    ['CREDSTASH://a', 'does not begin with credstash://'],
    ['credstash:a', 'does not begin with credstash://'],
    ['credstash://', 'the name of a secret cannot be empty'],
    ['credstash://?version=1', 'the name of a secret cannot be empty'],
    ['credstash://a#', 'field cannot be empty'],
    ['credstash://#b', 'the name of a secret cannot be empty'],
    ['credstash://a#b#c', 'second #'],
    ['credstash://a#b?version=2', 'before the #'],
    ['credstash://a#b c', 'white space'],
    ['credstash://a#{b}', '| { }'],
    ['credstash://a#%', 'hexadecimal'],
    ['credstash://a#%ff', 'not UTF-8'],
    ['credstash://a#/b~2', 'JSON Pointer'],
    ['credstash://a#/b~', 'JSON Pointer'],
    ['credstash://a b', 'white space'],
    ['credstash://a\n', 'white space'],
    ['credstash://a\u00a0', 'white space'],
    ['credstash://a\0', 'white space'],
    ['credstash://a%00', 'without NUL'],
    ['credstash://\ud800', 'valid Unicode'],
    ['credstash://a|json', '| { }'],
    ['credstash://{{env}}.a', '| { }'],
    ['credstash://a%', 'hexadecimal'],
    ['credstash://a%2', 'hexadecimal'],
    ['credstash://a%zz', 'hexadecimal'],
    ['credstash://a%ff', 'not UTF-8'],
    ['credstash://a%ed%a0%80', 'not UTF-8'],
    ['credstash://a?', 'parameter without a ='],
    ['credstash://a?version', 'parameter without a ='],
    ['credstash://a?k=v&', 'parameter without a ='],
    ['credstash://a?k=v&&l=w', 'parameter without a ='],
    ['credstash://a?k=%', 'hexadecimal'],
    ['credstash://a?version=1&version=1', 'the parameter version twice'],
    ['credstash://a?k=v&%6B=w', 'the parameter k twice'],
    ['credstash://a?label=-live', 'a label has'],
    ['credstash://a?label=live&version=1', 'cannot both be asked for'],
    ['credstash://a?version=', 'a version cannot be empty'],
    [`credstash://a?version=${'1'.repeat(1025)}`, 'a version can be 1024 bytes'],
    ['credstash://a?=v', 'is empty'],
    ['credstash://a?k=', 'is empty'],
    ['credstash://a?credstash:name=b', 'is reserved'],
    ['credstash://a?__proto__=b', 'is reserved'],
    [`credstash://${'x'.repeat(2049)}`, '2048 bytes'],
    [`credstash://${'x'.repeat(2048)}?k=${'v'.repeat(6200)}`, '8192 bytes'],
  ])('%j is refused', (text, said) => {
    expect(() => parseReference(text)).toThrow(
      usage(new RegExp(said.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))),
    );
  });

  it('is told from other texts by how it begins', () => {
    expect(isReference('credstash://')).toBe(true);
    expect(isReference(' credstash://a')).toBe(false);
    expect(isReference('see credstash://a')).toBe(false);
    expect(isReference('')).toBe(false);
  });

  it('says what percent-encoding says, of any name, version and pairs', () => {
    const storable = fc
      .string({ unit: anyCharacter, minLength: 1, maxLength: 20 })
      .filter((each) => each.isWellFormed() && !each.includes('\0'));
    const key = storable.filter(
      (each) => !each.startsWith('credstash:') && !['__proto__', 'version', 'label'].includes(each),
    );
    fc.assert(
      fc.property(
        storable,
        fc.option(storable, { nil: undefined }),
        fc.uniqueArray(fc.tuple(key, storable), { selector: ([each]) => each, maxLength: 4 }),
        fc.option(
          storable.filter((each) => !/^\/.*~(?![01])/s.test(each)),
          { nil: undefined },
        ),
        (name, version, pairs, field) => {
          const parameters = [...(version === undefined ? [] : [['version', version]]), ...pairs];
          const query = parameters.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
          const text = `credstash://${encodeURIComponent(name)}${query === '' ? '' : `?${query}`}${field === undefined ? '' : `#${encodeURIComponent(field)}`}`;
          const reference = parseReference(text);
          expect(reference.field).toBe(field);
          expect(reference.name).toBe(name);
          expect(reference.version).toBe(version);
          expect(Object.entries(reference.context).sort()).toEqual(
            Object.entries(checkContext(pairs)).sort(),
          );
        },
      ),
    );
  });

  it('is refused in our words, or taken, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'a%20?&=#*+ é\ud800|{'.split('')) }),
        (rest) => {
          try {
            expect(parseReference(`credstash://${rest}`).name).not.toBe('');
          } catch (error) {
            expect(error).toBeInstanceOf(CredstashError);
            expect(error).toMatchObject({ code: 'USAGE' });
          }
        },
      ),
    );
  });
});

describe('the pairs of a command line', () => {
  it('hold for every reference, and a pair of its own wins', () => {
    const shared = checkContext([
      ['env', 'prod'],
      ['team', 'a'],
    ]);
    const [first, second] = parseReferences(
      [
        ['A', 'credstash://a'],
        ['B', 'credstash://b?env=test&x=y'],
      ],
      shared,
    );
    expect({ ...first?.context }).toEqual({ env: 'prod', team: 'a' });
    expect({ ...second?.context }).toEqual({ env: 'test', team: 'a', x: 'y' });
  });

  it('make no more than 8192 bytes with the name and its own pairs', () => {
    const reference = parseReference(`credstash://a?k=${'v'.repeat(8000)}`);
    expect(() => addSharedContext(reference, { other: 'v'.repeat(300) })).toThrow(
      usage('8192 bytes'),
    );
    expect(() => addSharedContext(reference, { k: 'v'.repeat(8000) })).not.toThrow();
  });

  it('leave every malformed reference named by its place', () => {
    const parse = (): unknown =>
      parseReferences(
        [
          ['A', 'credstash://a?canary'],
          ['B', 'credstash://b'],
          ['C', 'credstash://'],
        ],
        {},
      );
    expect(parse).toThrow(usage('2 references are malformed'));
    expect(parse).toThrow(
      expect.objectContaining({
        failures: [
          expect.objectContaining({ name: 'A', error: usage('^(?!.*canary)') }) as unknown,
          expect.objectContaining({ name: 'C' }) as unknown,
        ],
      }) as Error,
    );
  });
});
