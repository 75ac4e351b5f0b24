import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeWithPython, python } from '../support/python.ts';
import { anyText, binary, examples, isOtherType, numbered, secrets, textFrom } from './secrets.ts';
import { seed } from '../support/seed.ts';
import { formatYaml } from '../support/formats.ts';
import { size } from '../campaigns/campaign.ts';

/** What the npm package yaml reads. A Map, so that a name that it takes for another type is seen. */
function read(document: string, version: '1.1' | '1.2'): [unknown, unknown][] {
  const options = { version, mapAsMap: true, customTags: ['binary' as const] };
  return [...(parse(document, options) as Map<unknown, unknown>)];
}

/** One text of each pair of texts. */
const cross = (texts: readonly string[]): [name: string, value: string][] =>
  texts.map((text, i) => [text, texts[(i * 7 + 1) % texts.length] ?? '']);

// What some parser takes for null, a boolean, a merge, a number or a date.
const TYPED = [
  ...'yes Yes YES no y Y n N on off Off true TRUE false null Null NULL ~ << ='.split(' '),
  ...'0 7 -7 +7 007 08 0o7 0O7 0x1F 0X1F 0b1 -0b1 1_000 _ 1e3 1E3 -1e-3 1.5e+3 e3'.split(' '),
  ...'1.5 .5 5. -.5 +.5 . 1_0.5 .inf -.inf +.Inf .INF .nan .NaN 1:20 1:99'.split(' '),
  ...'190:20:30 190:20:30.15 2026-11-23 2026-1-2 2026-11-23T10:00:00Z'.split(' '),
  ...['', '2026-11-23 10:00:00.5 +02:00', '2026-11-23 note'],
];

// What is something else than a text by its characters.
const MARKED = [
  ...[' ', '  ', ' a', 'a ', ' a b ', 'a: b', 'a:b', 'a #b', 'a#b', '#', '#x', '- x', '-', '-x'],
  ...['--', '---', '--- a', '---a', '...', '... a', '....', '!', '!x', '!!str x', '&', '&x', '*'],
  ...['*x', '%', '%x', '%YAML 1.2', '@x', '`x', '?', '? x', '?x', ':', ': x', ':x', 'x:', 'x: '],
  ...['::', '|', '|x', '>', '>-', '[', '[]', '[a]', ']', '{', '{}', '{a: b}', '}', ',', ',x'],
  ...['a, b', "'", "''", "it's", "'a'", '"', '""', '"a"', '\\', '\\n', 'C:\\x', '"\\"', `'"`],
];

// What is no line of printable ASCII.
const UNPRINTABLE = [
  ...['\t', 'a\tb', '\r', '\n', '\r\n', 'a\rb', 'a\nb', 'a\r\nb', 'a\n', '\na', ' \n ', "'\n"],
  ...['a\n\nb\n\n', '"\n', '\0', 'a\0b', '\x07', '\x1b[31m', '\x7f', '\x80', '\x85', '\x9b'],
  ...['\xa0', '\xad', '\ufeff', '\ufeffa', 'a\ufeff', '\u2028', 'a\u2028b', '\u2029', '\u202e'],
  ...['\ufffe', '\uffff', '\u{10ffff}', 'é', 'naïve', '名前', '😀', 'a 😀: b', '\ud7ff\ue000'],
];

const LONG = ['k', '#', 'é', "'", '"', 'a ', 'a: ', '\n', '😀'].flatMap((piece) =>
  [127, 128, 129, 1023, 1025, 2048, 5000].map((length) =>
    Array.from(piece.repeat(length)).slice(0, length).join(''),
  ),
);

const PROPERTIES = ['__proto__', 'constructor', 'toString', 'length'];

const TEXTS = [...TYPED, ...MARKED, ...UNPRINTABLE, ...PROPERTIES];

const number = fc.oneof(
  textFrom('0123456789+-._:eExXobTZ '),
  fc.stringMatching(/^[-+]?[0-9_]{0,4}(:[0-9]{1,2}){0,2}\.?[0-9_]{0,3}([eE][-+]?[0-9]{1,2})?$/),
  fc.stringMatching(/^[-+]?0[xXoObB]?[0-9a-fA-F_]{0,4}$/),
  fc.stringMatching(/^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9:.]{0,8}(Z|[-+][0-9]{1,2})?)?$/),
);
const meaningful = textFrom('-?:,[]{}#&*!|>\'"%@`\\~=<. \t\n\r\0\x85\u2028\ufeffaé0😀');
const anything = fc.oneof(number, meaningful, anyText);

// What people store, at random and picked.
const stored = fc.oneof(
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
  fc.emailAddress(),
  fc.domain(),
  fc.ipV4(),
  fc.ipV6(),
  fc.uuid(),
  fc.json(),
  fc.lorem({ mode: 'sentences' }),
  fc.base64String({ minLength: 16 }),
  fc.string({ minLength: 8, maxLength: 40 }),
  fc.stringMatching(/^[0-9a-f]{40}$/),
  fc.stringMatching(/^v?[0-9]{1,2}\.[0-9]{1,2}(\.[0-9]{1,3})?(-rc\.[0-9])?$/),
  fc.stringMatching(/^[A-Za-z0-9!@#$%^&*()_+=-]{8,24}$/),
  fc.integer().map(String),
);

const STORED = `
hunter2
correct horse battery staple
s3cr3t!
P@ssw0rd#1
!bang
#hash
pass word#1
50%
%50
$HOME
a&b
&a
*
2+2=4
=cmd
-----BEGIN-----
it's
"quoted"
back\\slash
trailing:
key: value
C:\\Users\\app
/etc/ssl/private/key.pem
~/.ssh/id_rsa
localhost
db.internal:5432
10.0.0.1
10.0.0.0/8
::1
fe80::1%eth0
2001:db8::8a2e:370:7334
00:1b:44:11:3a:b7
https://user:p%40ss@example.com:8443/a/b?c=d&e=f#g
postgres://app:pw@db:5432/app?sslmode=require
amqps://u:p@h//vhost
arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab
1.2.3
v1.2.3
1.2.3-rc.1+build.5
10.11
5432
007
0x1F
1_000
-1
true
yes
No
off
null
~
1:20
2026-11-23
2026-11-23T10:00:00Z
12:30
{"user":"admin","password":"p@ss"}
{"a": [1, 2, {"b": null}]}
[1, 2]
<xml attr="x"/>
SGVsbG8gd29ybGQ=
c2VjcmV0Kys/Pw==
d41d8cd98f00b204e9800998ecf8427e
AKIAIOSFODNN7EXAMPLE
wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE user@host
A sentence, with a comma; and more: what follows a colon.
Two  spaces - and a dash
`
  .trim()
  .split('\n');

describe('yaml', () => {
  it('is a block mapping, with quotes where they are needed', () => {
    const document = formatYaml(
      secrets({
        a: 'plain text, as it is',
        b: 'yes',
        c: "it's #1: 'x'",
        'd.é': 'two\nlines',
        'e: f': '',
        g: Uint8Array.of(0, 1, 2, 0xff),
        ['l'.repeat(129)]: 'long',
      }),
    );
    expect(document).toBe(
      [
        'a: plain text, as it is',
        "b: 'yes'",
        `c: 'it''s #1: ''x'''`,
        '"d.\\xE9": "two\\nlines"',
        "'e: f': ''",
        'g: !!binary "AAEC/w=="',
        `? ${'l'.repeat(129)}`,
        ': long',
        '',
      ].join('\n'),
    );
  });

  it('escapes what a runner would obey in a name, and is the same name to a parser', () => {
    const names = ['::add-mask::x', ' ::x', 'a##[x]', 'é##vso[x]', `::${'x'.repeat(200)}`];
    const pairs = secrets(names.map((name) => [name, 'x'] as const)).map(
      ({ name }): [string, string] => [name, 'x'],
    );
    const document = formatYaml(secrets(pairs));
    expect(document).not.toMatch(/^\s*::|##\w*\[/m);
    for (const version of ['1.1', '1.2'] as const) expect(read(document, version)).toEqual(pairs);
  });

  it('of nothing is an empty mapping', () => {
    expect(formatYaml([])).toBe('{}\n');
  });

  describe.each(['1.1', '1.2'] as const)('to the npm package yaml, version %s,', (version) => {
    it('the texts listed above are those texts, as values and as names', () => {
      for (const pair of [...cross(TEXTS), ...cross(LONG)]) {
        const document = formatYaml(secrets([pair]));
        expect(read(document, version), document).toEqual([pair]);
      }
    });

    it('any texts are those texts', () => {
      fc.assert(
        fc.property(anything, anything, (name, value) => {
          expect(read(formatYaml(secrets([[name, value]])), version)).toEqual([[name, value]]);
        }),
        { numRuns: size(600, 20_000) },
      );
    });

    it('any bytes are those bytes', () => {
      fc.assert(
        fc.property(binary, (value) => {
          const [[, bytes] = []] = read(formatYaml(secrets({ a: value })), version);
          expect(Buffer.from(bytes as Uint8Array)).toEqual(value);
        }),
      );
    });
  });

  it('stands on one line for each secret, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(anything, binary)), (values) => {
        const document = formatYaml(numbered(values));
        expect(document.match(/^k\d+: [ -~]+$/gm) ?? []).toHaveLength(values.length);
      }),
    );
  });
});

describeWithPython('yaml', () => {
  // PyYAML's own parser and, where it has that, libyaml.
  const load = `
loaders = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]
result = [list(yaml.load(data, loader).items()) for loader in loaders]
`;

  it.each([
    ['the texts listed above', [...cross(TEXTS), ...cross(LONG)]],
    ['any texts', [...new Map(examples(fc.tuple(anything, anything), size(1000, 10_000)))]],
  ])('%s are those texts to PyYAML', (_, pairs) => {
    const given = secrets(pairs);
    const texts = given.map(({ name, value }) => [name, Buffer.from(value).toString()]);
    expect(python(load, formatYaml(given)), `SEED=${seed}`).toEqual([texts, texts]);
  });

  it('any bytes are those bytes to PyYAML', () => {
    const given = numbered(examples(binary, 300));
    const bytes = given.map(({ name, value }) => [
      name,
      { base64: Buffer.from(value).toString('base64') },
    ]);
    expect(python(load, formatYaml(given)), `SEED=${seed}`).toEqual([bytes, bytes]);
  });

  /** What the original writes, but on one line. */
  function dumped(values: readonly string[]): string[] {
    return python(
      'result = [yaml.dump({"k": value}, default_flow_style=False, width=1e9) for value in data]',
      values,
    ) as string[];
  }
  const ours = (value: string): string => formatYaml(secrets({ k: value }));

  it('is the text that PyYAML writes, for what people store', () => {
    expect(STORED.map(ours)).toEqual(dumped(STORED));
  });

  it('is the text that PyYAML writes, but for quotes around what another parser may take for no text', () => {
    const oneLine = examples(fc.oneof(anything, stored), size(1000, 10_000)).filter(
      (text) => !text.includes('\n'),
    );
    const theirs = dumped(oneLine);
    for (const [i, value] of oneLine.entries()) {
      const mayBeQuoted = theirs[i] === `k: ${value}\n` && isOtherType(value);
      const right = mayBeQuoted ? [theirs[i], `k: '${value}'\n`] : [theirs[i]];
      expect(right, `SEED=${seed}`).toContain(ours(value));
    }
  });

  it('is written at once for 400 KB that are nearly a number', { timeout: 60_000 }, () => {
    for (const run of ['1', '_', '1_', '0', '1:1']) {
      const value = `1${run.repeat(399_000 / run.length)}x`;
      expect(ours(value)).toBe(`k: ${value}\n`);
    }
  });

  it('differs from what PyYAML writes in this', () => {
    const quoted = [...'y N 1e3 -1E3 0o7 08 e3 . 0X1F 1:99 +'.split(' '), '2026-11-23 note'];
    expect(dumped(quoted)).toEqual(quoted.map((value) => `k: ${value}\n`));
    expect(quoted.map(ours)).toEqual(quoted.map((value) => `k: '${value}'\n`));
    // Text of several lines, unless something in it must be escaped.
    expect(dumped(['two\nlines'])).toEqual([`k: 'two\n\n  lines'\n`]);
    expect(ours('two\nlines')).toBe('k: "two\\nlines"\n');
  });
});
