import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseField } from '../../src/model/field.ts';
import {
  findValue,
  parseDocument,
  parseFieldValue,
  readField,
} from '../../src/model/json-document.ts';
import { bytes, text } from '../support/bytes.ts';

const read = (json: string, field: string): string =>
  text(readField(parseDocument('s', bytes(json)), field));

const thrown = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

/** The pointer to a value, as section 3 of RFC 6901 says. */
const pointer = (steps: readonly string[]): string =>
  steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

describe('a field', () => {
  it.each([
    ['{"a":"x"}', 'a', 'x'],
    ['{"a":"x\\ny"}', 'a', 'x\ny'],
    ['{"a":""}', 'a', ''],
    ['{"a.b":"x","a":{"b":"y"}}', 'a.b', 'x'],
    ['{"a":1.0}', 'a', '1.0'],
    ['{"a":12345678901234567890}', 'a', '12345678901234567890'],
    ['{"a":1e400,"b":-0}', 'a', '1e400'],
    ['{"a":1e400,"b":-0}', 'b', '-0'],
    ['[true,false,null]', '/0', 'true'],
    ['[true,false,null]', '/2', 'null'],
    ['{"a":{ "b" : [ 1 , "x y" ] } }', 'a', '{"b":[1,"x y"]}'],
    ['{"a":{"b":[10,{"c":"x"}]}}', '/a/b/1/c', 'x'],
    ['{"/a":"x","a":"y"}', '/~1a', 'x'],
    ['{"m~n":"x"}', '/m~0n', 'x'],
    ['{"~1":"x","/":"y"}', '/~01', 'x'],
    ['{"":"x"}', '/', 'x'],
    ['{"":{"":"x"}}', '//', 'x'],
    ['{"0":"x"}', '0', 'x'],
    ['{"0":"x","00":"y"}', '/00', 'y'],
    ['{"-":"x"}', '/-', 'x'],
    ['{"__proto__":"x"}', '__proto__', 'x'],
    ['{"\\u0061":"x"}', 'a', 'x'],
    [' \r\n\t{"a" : "x"}\n', 'a', 'x'],
    // Only the keys on the way must be there once.
    ['{"b":1,"b":2,"a":"x"}', 'a', 'x'],
  ])('%s has %s', (json, field, value) => {
    expect(read(json, field)).toBe(value);
  });

  it.each([
    ['{"a":"x"}', 'b'],
    ['{"a":"x"}', '/a/b'],
    ['{"a":"x"}', 'constructor'],
    ['{"a":"x"}', '__proto__'],
    ['{"a":{"b":1}}', 'a.b'],
    ['{"a":[1]}', '/a/length'],
    ['[1,2]', '0'],
    ['[1,2]', '/2'],
    ['[1,2]', '/-'],
    ['[1,2]', '/01'],
    ['[1,2]', '/+1'],
    ['[1,2]', '/-1'],
    ['[1,2]', '/1.0'],
    ['[1,2]', '/'],
    ['"a"', 'a'],
    ['"abc"', '/0'],
    ['null', 'a'],
  ])('%s has no %s', (json, field) => {
    expect(thrown(() => read(json, field))).toMatchObject({
      code: 'FIELD_NOT_FOUND',
      exitStatus: 3,
      message: `the secret s has no field ${field}`,
    });
  });

  it.each([
    '',
    ' ',
    'secret-text',
    '{"a":"secret-text"',
    "{'a':1}",
    '{"a":1,}',
    '\ufeff{"a":1}',
    'NaN',
  ])('nothing has one in %j, and the error quotes nothing', (json) => {
    const error = thrown(() => read(json, 'a'));
    expect(error).toMatchObject({ code: 'USAGE', exitStatus: 2, message: /is not JSON/ });
    expect(error).not.toHaveProperty('cause');
    expect(JSON.stringify([error, String((error as Error).stack)])).not.toContain('secret-text');
  });

  it('a byte order mark, which an editor may write, is named', () => {
    const error = thrown(() => read('\ufeff{"a":1}', 'a'));
    expect(error).toMatchObject({ hint: /byte order mark.*store it again without the mark/ });
  });

  it('bytes that are not UTF-8 have none', () => {
    expect(thrown(() => parseDocument('s', Buffer.from([0x22, 0xff, 0x22])))).toMatchObject({
      code: 'USAGE',
    });
  });

  it('is not taken from a key that the object has twice', () => {
    const error = thrown(() => read('{"a":"one","\\u0061":"two"}', 'a'));
    expect(error).toMatchObject({ code: 'USAGE', message: /has a key twice/ });
    expect(JSON.stringify(error)).not.toMatch(/one|two/);
    expect(thrown(() => read('{"o":{"a":1,"a":1}}', '/o/a'))).toMatchObject({ code: 'USAGE' });
  });

  it('is not taken from half of a surrogate pair', () => {
    expect(thrown(() => read('{"a":"\\ud83d"}', 'a'))).toMatchObject({ code: 'USAGE' });
    expect(read('{"a":"\\ud83d\\ude00"}', 'a')).toBe('😀');
  });

  it.each(['', '/a~', '/a~2', '/~~0'])('%j names none', (field) => {
    expect(thrown(() => parseField(field))).toMatchObject({ code: 'USAGE' });
  });

  it('is found however deep it is, and takes no stack', () => {
    const depth = 100_000;
    const json = `{"a":${'['.repeat(depth)}1${']'.repeat(depth)}}`;
    expect(read(json, 'a')).toBe(json.slice(5, -1));
    expect(read(json, `/a${'/0'.repeat(1000)}`)).toBe(json.slice(1005, -1001));
  });
});

describe('of any document', () => {
  const key = fc.oneof(
    fc.string({ maxLength: 4 }),
    fc.constantFrom('', '/', '~', '~1', '0', '__proto__'),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'grapheme' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  const indent = fc.constantFrom(undefined, 2, '\t', ' \r\n');

  it('every value is found by its pointer, as JSON.parse finds it', () => {
    fc.assert(
      fc.property(value, indent, (given, space) => {
        const json = JSON.stringify(given, null, space);
        const document = parseDocument('s', bytes(json));
        const visit = (each: unknown, steps: readonly string[]): void => {
          if (steps.length > 0) {
            const field = pointer(steps);
            expect(parseFieldValue(document, field)).toEqual(each);
            expect(text(readField(document, field))).toBe(
              typeof each === 'string' ? each : JSON.stringify(each),
            );
          }
          if (typeof each !== 'object' || each === null) return;
          for (const [step, inner] of Object.entries(each)) visit(inner, [...steps, step]);
        };
        visit(JSON.parse(json), []);
      }),
      { numRuns: 300 },
    );
  });

  it('whatever the field is, it is found or it is not', () => {
    fc.assert(
      fc.property(
        value,
        fc.string({ unit: fc.constantFrom('/', '~', '0', '1', 'a', '-') }),
        (given, field) => {
          const document = parseDocument('s', bytes(JSON.stringify(given)));
          const found = thrown(() => findValue(document, field));
          if (found instanceof Error) expect(found).toMatchObject({ code: 'USAGE' });
        },
      ),
      { numRuns: 300 },
    );
  });
});
