import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeWithPython, python } from '../support/python.ts';
import { anyText, binary, examples, pairsOf, secrets, textFrom } from './secrets.ts';
import { seed } from '../support/seed.ts';
import { formatJson } from '../support/formats.ts';

/** What a value is in JSON. */
const plain = (value: string | Buffer): unknown =>
  typeof value === 'string' ? value : { base64: value.toString('base64') };

const meaningful = textFrom('"\\/\b\f\n\r\t\0\x1f\x7f\x80\u2028\u2029\ud7ff\ue000\uffffé秘😀a');
const text = fc.oneof(meaningful, anyText);
const pairs = pairsOf(text, fc.oneof(text, binary));

describe('json', () => {
  it('has an indent of 4, everything but ASCII escaped, and base64 for what is no text', () => {
    expect(
      formatJson(secrets({ a: 'pässwörd "✓" 🔑\n\x7f', b: Uint8Array.of(0xff, 0xee), 'ü\\': '' })),
    ).toBe(
      String.raw`{
    "a": "p\u00e4ssw\u00f6rd \"\u2713\" \ud83d\udd11\n\u007f",
    "b": {
        "base64": "/+4="
    },
    "\u00fc\\": ""
}`,
    );
  });

  it('escapes what a runner would obey in a name', () => {
    const text = formatJson(secrets({ 'a##[x]': '##[x]', '::x': '' }));
    expect(text).toBe('{\n    "::x": "",\n    "a\\u0023#[x]": "##[x]"\n}');
    expect(JSON.parse(text)).toEqual({ 'a##[x]': '##[x]', '::x': '' });
  });

  it('is read back as the same values', () => {
    fc.assert(
      fc.property(pairs, (pairs) => {
        const read = JSON.parse(formatJson(secrets(pairs))) as Record<string, unknown>;
        expect(new Map(Object.entries(read))).toEqual(
          new Map(pairs.map(([name, value]) => [name, plain(value)])),
        );
      }),
    );
  });
});

describeWithPython('json', () => {
  it('is byte for byte what the original prints', () => {
    const picked: [string, string | Buffer][][] = [
      [],
      [['', '']],
      // U+FFFD comes before U+1F511 in code points, as in UTF-8, and after it in UTF-16.
      ['\u{1f511}', '\ufffd', 'a', 'B', '_', 'é', '10', '9', '__proto__'].map((name) => [name, '']),
      [['every character that has an escape', '"\\/\b\f\n\r\t\0\x1f\x7f\u2028\u2029']],
    ];
    const all = [...picked, ...examples(pairs, 1000)];
    const dumped = python(
      `result = [
    json.dumps(dict(pairs), sort_keys=True, indent=4, separators=(",", ": ")) for pairs in data
]`,
      all.map((pairs) => pairs.map(([name, value]) => [name, plain(value)])),
    );
    expect(
      all.map((pairs) => formatJson(secrets(pairs))),
      `SEED=${seed}`,
    ).toEqual(dumped);
  });
});
