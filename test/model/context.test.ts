import { describe, expect, it } from 'vitest';
import { bindName, checkContext, encodeContext, parseContext } from '../../src/model/context.ts';

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

describe('keys that IAM takes for each other', () => {
  it.each([
    'Credstash:Name',
    'CREDSTASH:NAME',
    'credsTASH:x',
    'CREDSTASH:',
    // ſ, which has the capital S; ﬆ and ﬅ, which have ST; full-width letters and colon.
    'cred\u017ftash:name',
    'cred\ufb06ash:name',
    'CRED\ufb05ASH:name',
    '\uff23\uff32\uff25\uff24\uff33\uff34\uff21\uff33\uff28\uff1aname',
    'credstash\uff1aname',
  ])('%j is reserved to seal with, and not to open with', (key) => {
    const pairs = [[key, 'x']] as const;
    expect(() => checkContext(pairs)).toThrow(USAGE);
    expect(() => parseContext([`${key}=x`])).toThrow(`${key} is reserved`);
    expect({ ...checkContext(pairs, 'open') }).toEqual({ [key]: 'x' });
  });

  it('credstash: itself is reserved in either case', () => {
    expect(() => checkContext([['credstash:name', 'x']], 'open')).toThrow(USAGE);
  });

  it.each(['credstash', 'credstash.name', 'xcredstash:name', ' credstash:name', 'cred'])(
    "%j is anybody's",
    (key) => {
      expect({ ...checkContext([[key, 'x']]) }).toEqual({ [key]: 'x' });
    },
  );

  it.each([
    ['env', 'ENV'],
    ['env', 'Env'],
    ['stra\u00dfe', 'STRASSE'],
    ['stra\u00dfe', 'STRA\u1e9eE'],
    ['s', '\u017f'],
    ['k', '\u212a'],
    ['i', '\u0130'],
    ['i', '\u0131'],
    ['\u00e5', '\u212b'],
    ['\u00b5', '\u03bc'],
    ['\u03c3x', '\u03c2x'],
    ['\u00e9', '\u00c9'],
  ])('%j and %j together are refused to seal with, and not to open with', (one, other) => {
    const pairs = [
      [one, 'x'],
      ['between', 'y'],
      [other, 'z'],
    ] as const;
    expect(() => checkContext(pairs)).toThrow(USAGE);
    expect(() => parseContext([`${one}=x`, `${other}=x`])).toThrow(
      `${one} and ${other} differ only in case`,
    );
    expect({ ...checkContext(pairs, 'open') }).toEqual(Object.fromEntries(pairs));
    // Each by itself is a key as any other.
    for (const key of [one, other])
      expect({ ...checkContext([[key, 'x']]) }).toEqual({ [key]: 'x' });
  });

  it('of every character, its capital and its small letter are one', () => {
    for (let point = 1; point <= 0x10_ffff; point++) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      for (const other of [character.toLowerCase(), character.toUpperCase()]) {
        if (other === character) continue;
        const pairs = [character, other].map((key) => [key, 'x'] as const);
        if (isSealable(pairs)) expect.unreachable(`U+${point.toString(16)} and ${other}`);
      }
    }
  });

  it('values are told apart by case', () => {
    expect({ ...parseContext(['a=x', 'b=X']) }).toEqual({ a: 'x', b: 'X' });
  });
});

function isSealable(pairs: readonly (readonly [string, string])[]): boolean {
  try {
    checkContext(pairs);
    return true;
  } catch {
    return false;
  }
}

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
