import { describe, expect, it } from 'vitest';
import { bindName, checkContext, encodeContext, parseContext } from '../src/context.ts';

const USAGE = expect.objectContaining({ code: 'USAGE', exitStatus: 2 }) as Error;

describe('KEY=VALUE arguments', () => {
  it('split at the first =', () => {
    expect({ ...parseContext(['a=b=c', 'url=x?y=z&w']) }).toEqual({ a: 'b=c', url: 'x?y=z&w' });
  });

  it.each([
    'plain',
    '=value',
    'key=',
    '=',
    '',
    'a\0=b',
    'a=\ud800',
    'credstash:name=x',
    'credstash:=x',
    '__proto__=x',
  ])('%j is refused', (pair) => {
    expect(() => parseContext(['ok=1', pair])).toThrow(USAGE);
  });

  it('never quotes what it refuses: it may be a part of a secret', () => {
    expect(() => parseContext(['ok=1', 'hunter2'])).toThrow('argument 2 of the encryption context');
    expect(() => parseContext(['hunter2'])).not.toThrow('hunter2');
  });

  it('that repeat a key count the last time, as in the original', () => {
    expect({ ...parseContext(['a=1', 'a=2']) }).toEqual({ a: '2' });
  });

  it('are frozen and have no prototype', () => {
    const context = parseContext(['constructor=x']);
    expect(Object.isFrozen(context)).toBe(true);
    expect(Object.getPrototypeOf(context)).toBeNull();
  });

  it('are at most 8192 bytes, with the name', () => {
    const most = checkContext([['k', 'v'.repeat(8191)]]);
    expect(() => checkContext([['k', 'v'.repeat(8192)]])).toThrow(USAGE);
    expect(() => bindName(most, 'n')).toThrow(USAGE);
    const room = 'v'.repeat(8191 - 'credstash:name'.length - 'n'.length);
    expect(bindName(checkContext([['k', room]]), 'n')['credstash:name']).toBe('n');
  });
});

describe('the canonical encoding', () => {
  it('orders by the bytes of the keys and gives each text its length', () => {
    const encoded = encodeContext(
      checkContext([
        ['b', '2'],
        ['a', '1'],
        ['\u{10000}', 'x'],
        ['\uffff', 'y'],
      ]),
    );
    expect(Buffer.from(encoded).toString('hex')).toBe(
      [
        '00000001' + '61',
        '00000001' + '31',
        '00000001' + '62',
        '00000001' + '32',
        '00000003' + 'efbfbf',
        '00000001' + '79',
        '00000004' + 'f0908080',
        '00000001' + '78',
      ].join(''),
    );
    expect(encodeContext(checkContext([]))).toHaveLength(0);
  });

  it('tells contexts apart whose texts run together', () => {
    const one = encodeContext(checkContext([['a', 'bc']]));
    const two = encodeContext(checkContext([['ab', 'c']]));
    expect(Buffer.from(one).equals(two)).toBe(false);
  });
});
