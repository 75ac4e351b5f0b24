import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Secret } from '../../src/model/entry.ts';
import { parseSecrets } from '../../src/format/parse.ts';
import { describeWithPython, python } from '../support/python.ts';
import {
  anyText,
  binary,
  examples,
  isOtherType,
  pairsOf,
  refusal,
  secrets,
  textFrom,
} from './secrets.ts';
import { seed } from '../support/seed.ts';
import { formatJson, formatYaml } from '../support/formats.ts';
import { size } from '../campaigns/campaign.ts';

/** What is read, in the order and the kind of bytes of `secrets`. */
async function read(input: string | Uint8Array): Promise<Secret[]> {
  const parsed = await parseSecrets(Buffer.from(input));
  return secrets(parsed.map(({ name, value }) => [name, value] as const));
}

const meaningful = textFrom('{}[]:,"\'\\-?#&*!|>%@~<=0e. \t\n\r\0aé😀\u2028\ufeff');
const text = fc.oneof(meaningful, anyText);
const anySecrets = pairsOf(text, fc.oneof(text, binary)).map(secrets);

describe('parseSecrets', () => {
  it.each([
    ['json', formatJson],
    ['yaml', formatYaml],
  ])('reads what %s writes', async (_, format) => {
    await fc.assert(
      fc.asyncProperty(anySecrets, async (secrets) => {
        expect(await read(format(secrets))).toEqual(secrets);
      }),
      { numRuns: size(300, 10_000) },
    );
  });

  it.each([
    ['JSON with blanks around it', '\n\t {"a" : "b"}\r\n', { a: 'b' }],
    ['a byte order mark before JSON', '\ufeff{"a":"b"}', { a: 'b' }],
    ['a byte order mark before YAML', '\ufeffa: b\n', { a: 'b' }],
    ['a byte order mark as a value', '{"a":"\ufeff"}', { a: '\ufeff' }],
    [
      'names of the prototype',
      '{"__proto__":"x","constructor":"y"}',
      { ['__proto__']: 'x', constructor: 'y' },
    ],
    [
      'brackets, names and escapes in texts',
      '{"a":"{\\"a\\":","b":"\\\\","c":"[}"}',
      { a: '{"a":', b: '\\', c: '[}' },
    ],
    [
      'the same name in values of their own',
      '{"base64":{"base64":"YQ=="},"b":{"base64":"Yg=="}}',
      { base64: 'a', b: 'b' },
    ],
    ['an empty object', '{}', {}],
    ['base64 of nothing', '{"a":{"base64":""}}', { a: '' }],
    [
      'a comment, a document marker and CR LF',
      '# c\r\n%YAML 1.2\r\n---\r\na: b # c\r\n...\r\n',
      { a: 'b' },
    ],
    ['a flow mapping that does not come first', '---\n{a: b, "c": "1"}\n', { a: 'b', c: '1' }],
    [
      'every style of a text',
      `a: b c\nb: 'it''s'\nc: "\\u00e9\\n"\nd: |\n  e\n  f\ng: >-\n  h\n  i\n`,
      { a: 'b c', b: "it's", c: 'é\n', d: 'e\nf\n', g: 'h i' },
    ],
    ['plain text on several lines', 'a: b\n  c\n\n  d\n', { a: 'b c\nd' }],
    [
      'numbers in quotes, and with a tag',
      `a: '5432'\nb: "yes"\nc: !!str 2026-11-23\n'7': ''\n!!str 8: ''`,
      { a: '5432', b: 'yes', c: '2026-11-23', '7': '', '8': '' },
    ],
    [
      'base64 on several lines',
      'a: !!binary |\n  AAEC\n  /w==\nb: !!binary "Yg=="\n',
      { a: Uint8Array.of(0, 1, 2, 255), b: 'b' },
    ],
    [
      'what only looks like a type',
      'a: 1.2.3\nb: 10.0.0.1\nc: yes!\nd: nullable\ne: 7f\ng: -x',
      { a: '1.2.3', b: '10.0.0.1', c: 'yes!', d: 'nullable', e: '7f', g: '-x' },
    ],
  ])('reads %s', async (_, input, values) => {
    expect(await read(input)).toEqual(secrets(values));
  });

  it('reads a value as large as an entry can be', async () => {
    const value = '\\"\né'.repeat(80_000);
    for (const format of [formatJson, formatYaml]) {
      const [a] = await read(format(secrets({ a: value, b: 'x' })));
      expect(Buffer.compare(a?.value ?? Buffer.of(), Buffer.from(value))).toBe(0);
    }
  });
});

describe('parseSecrets refuses, and quotes no value,', () => {
  const typed = [
    ...'yes No y N on off true null ~ << = 8675309 007 0x1F 0o7 1_000 1e3 .5 .inf 1:20'.split(' '),
    ...['', '2026-11-23', '2026-11-23T10:00:00Z'],
  ];

  it.each([
    ['it is a number, without quotes', ['{"a":8675309}', '{"a":-8675309e0}']],
    ['it is a boolean, without quotes', ['{"a":true}', '{"a":false}']],
    ['it is null', ['{"a":null}']],
    ['it is an array', ['{"a":["zQ7"]}', '{"a":[]}']],
    [
      'it is an object',
      [
        '{"a":{"b":"zQ7"}}',
        '{"a":{}}',
        '{"a":{"base64":8675309}}',
        '{"a":{"base64":"YQ==","b":"zQ7"}}',
        '{"a":{"b":{"base64":"YQ=="}}}',
      ],
    ],
    [
      'its base64 is not valid',
      [
        ...['YR==', 'YQ', 'YQ=', 'Y Q==', 'YQ==\\n', '-_8=', 'zQ7!', '='].map(
          (base64) => `{"a":{"base64":"${base64}"}}`,
        ),
        ...['YR==', 'YQ', '-_8=', 'zQ7!'].map((base64) => `a: !!binary ${base64}`),
        'a: !!binary |\n  zQ7\n  zQ7!\n',
      ],
    ],
    [
      'it may not be text: quote it',
      [
        ...typed.map((value) => `a: ${value}`),
        ...['a: &anchor 8675309', 'a: # zQ7', '--- {a: 8675309}', 'a: &anchor'],
      ],
    ],
    [
      'it is not text',
      [
        ...['a: [zQ7]', 'a: {b: zQ7}', 'a:\n- zQ7\n', 'a:\n  b: zQ7\n', 'a: []', '? a\n'],
        ...['a: !!str [zQ7]', 'a: !!binary {b: zQ7}', '&x a: *x\n', 'a: *zQ7', '--- {a}'],
      ],
    ],
    [
      'it has a tag',
      [
        ...['!!int "8675309"', '!!float 1.5', '!!null ""', '!zQ7 b', '!<tag:zQ7.com,2000:x> b'],
        ...['!!map zQ7', '!!timestamp 2026-11-23', '! zQ7'],
      ].map((value) => `a: ${value}`),
    ],
    ['it has a tag', ['%TAG !! tag:zQ7.com,2000:\n---\na: !!binary YQ==\n']],
    [
      'it is not valid Unicode text',
      ['{"a":"zQ7\\ud800"}', '{"a":"\\udc00zQ7"}', 'a: "\\ud800zQ7"'],
    ],
  ])('a value: %s', async (reason, inputs) => {
    for (const input of inputs) {
      expect(await refusal(() => read(input)), input).toEqual([
        '1 of the values cannot be stored',
        `a: ${reason}`,
      ]);
    }
  });

  it.each([
    ['is empty', ['', ' \n\t', '\ufeff', '\ufeff\n']],
    [
      'has the name a twice',
      [
        '{"a":"zQ7","b":"x","a":"zQ7"}',
        '{"a":"zQ7","\\u0061":"y"}',
        '{"a":{"b":"x"},"c":["a"],"a":{}}',
        '{"b":"\\"","a" :"zQ7","c":"{","a"\n:"y"}',
      ],
    ],
    ['has the name __proto__ twice', ['{"__proto__":"zQ7","__proto__":"zQ7"}']],
    // JSON.parse takes the second.
    ['has the name base64 twice', ['{"a":{"base64":"YQ==","base64":"zQ7="}}']],
    ['has a name twice', ['a: zQ7\na: zQ7\n', 'a: zQ7\n"\\x61": x', "--- {a: x, 'a': zQ7}"]],
    [
      'begins with { and is not valid JSON',
      [
        // To YAML, a text with a space.
        '{"a": "zQ7\nzQ7"}',
        ...['{"a": "zQ7', '{"a": zQ7}', '{a: zQ7}', `{"a": 'zQ7'}`, '{"a": "zQ7",}', '{zQ7'],
        ...['{"a": "zQ7"} zQ7', '{"a": "zQ7"}\n{"b": "zQ7"}', '{"a": "\\zQ7"}', '{"a": 8675309'],
        ...['{"a": "zQ7"}\0', '\xa0{"a": "zQ7"}', '{"a": NaN8675309}'],
      ],
    ],
    [
      'is not valid YAML',
      [
        ...['a: b: zQ7', 'a: "zQ7', "a: 'zQ7' zQ7", 'a: "b" "zQ7"', 'a: x\n\t- zQ7', 'a: @zQ7'],
        ...['a: "\\zQ7"', 'a: x\nzQ7', 'a: %zQ7', 'a: [zQ7', 'a: |zQ7\n', '%zQ7\na: b'],
        ...['a: zQ7\n---\nb: zQ7\n', 'a: zQ7\n---\n', 'a: zQ7\n...\nzQ7\n', '--- {a: zQ7}\n--- {}'],
      ],
    ],
    [
      'is neither a JSON object nor a YAML mapping',
      [
        ...['zQ7', '"zQ7"', '8675309', '["zQ7"]', '- a: zQ7\n', 'null', '---', '# zQ7', '|\n zQ7'],
        ...['--- !!set\n[zQ7]', '--- !zQ7\na: zQ7', '!!omap [a: zQ7]'],
      ],
    ],
    [
      'has a name that YAML does not read as text: quote it',
      typed.map((name) => `b: x\n${name}: zQ7\n`),
    ],
    [
      'has a name that is not text',
      [
        ...['? [a]\n: zQ7', '? {a: zQ7}\n: zQ7', '[a]: zQ7', 'a: &x x\n*x : zQ7'],
        ...['!!binary YQ==: zQ7', '!!int "5": zQ7', '!zQ7 a: zQ7'],
      ],
    ],
  ])('what %s', async (reason, inputs) => {
    for (const input of inputs) {
      const [message, ...failures] = await refusal(() => read(input));
      expect(message?.replace(/ \(line \d+\)$/, ''), input).toBe(`the input ${reason}`);
      expect(failures, input).toEqual([]);
    }
  });

  it.each([
    ['{"a": "zQ7"\n"b": "zQ7"}', 'begins with { and is not valid JSON (line 2)'],
    ['\r\n\r\n{"a": "zQ7"\r\n"b": "zQ7"}', 'begins with { and is not valid JSON (line 4)'],
    ['a: zQ7\nb: "zQ7" zQ7\n', 'is not valid YAML (line 2)'],
    ['# zQ7\na: zQ7\nb: x\na: zQ7\n', 'has a name twice (line 4)'],
    ['a: zQ7\n7: zQ7\n', 'has a name that YAML does not read as text: quote it (line 2)'],
    ['a: zQ7\n---\nb: zQ7\n', 'is not valid YAML (line 2)'],
  ])('and tells the line: %j', async (input, reason) => {
    expect(await refusal(() => read(input))).toEqual([`the input ${reason}`]);
  });

  it('what is not UTF-8', async () => {
    // Latin-1, and what a redirection in PowerShell writes.
    const inputs = [
      Buffer.from('{"a":"zQ7\xff"}', 'latin1'),
      Buffer.from('\ufeffa: zQ7', 'utf16le'),
    ];
    for (const input of inputs) {
      expect(await refusal(() => read(input))).toEqual(['the input is not UTF-8']);
    }
  });

  it('several values at once, each by its name', async () => {
    expect(await refusal(() => read('{"a":8675309,"b":"zQ7","c":null}'))).toEqual([
      '2 of the values cannot be stored',
      'a: it is a number, without quotes',
      'c: it is null',
    ]);
  });

  it('any input that it does not read', async () => {
    const token = fc.constantFrom(
      ...['{', '}', '[', ']', ':', ': ', ',', '"', "'", '\n', '\n  ', ' ', '- ', '? ', '#', '&b '],
      ...['*b', '!!binary ', '!!str ', '!c ', '---', '...', '|\n', '>-\n ', '<<', '%YAML 1.1\n'],
      ...['"a"', 'a', '5', 'YQ==', '{"base64":"YQ=="}', '\\u', '\\', '\t', '\r', '\0', '\ufeff'],
    );
    const input = fc.oneof(
      fc.array(token, { maxLength: 12 }).map((tokens) => Buffer.from(tokens.join(''))),
      fc.uint8Array(),
    );
    await fc.assert(
      fc.asyncProperty(input, async (input) => {
        const error: unknown = await read(input).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (error !== undefined)
          expect(error).toMatchObject({ name: 'CredstashError', code: 'USAGE' });
      }),
      { numRuns: size(1000, 30_000) },
    );
  });
});

describeWithPython('parseSecrets', () => {
  const dump = `
def value(v):
    return base64.b64decode(v["base64"]) if isinstance(v, dict) else v
result = []
for pairs in data:
    values = {name: value(v) for name, v in pairs}
    # Line breaks of YAML 1.1 alone, which allow_unicode leaves as they are
    no_breaks = not any(c in json.dumps(pairs, ensure_ascii=False) for c in "\\x85\\u2028\\u2029")
    result.append([
        yaml.dump(values, default_flow_style=False),
        yaml.dump(values, allow_unicode=no_breaks, width=20, sort_keys=False),
        yaml.dump(values, default_style='"', explicit_start=True, explicit_end=True),
    ])
`;
  const prose = fc.lorem({ mode: 'sentences', maxCount: 8 });

  it('reads what PyYAML writes: folded, in blocks, with long names', async () => {
    const lines = fc.array(prose).map((lines) => lines.join('\n'));
    const value = fc.oneof(
      fc.oneof(text, prose, lines).filter((text) => !isOtherType(text)),
      binary,
    );
    const name = fc
      .oneof(text, prose, fc.string({ minLength: 120, maxLength: 140 }))
      .map((text) => `k${text}`);
    const all = examples(pairsOf(name, value), size(100, 1000));
    const dumped = python(
      dump,
      all.map((pairs) =>
        pairs.map(([name, value]) => [
          name,
          typeof value === 'string' ? value : { base64: value.toString('base64') },
        ]),
      ),
    ) as string[][];
    // Base64 in a block, a name after `?`, and text that is folded in double quotes, in single quotes and in none
    const [double, single, none] = [/\\\n/, /: '.*\n\n/, /: [A-Z][a-z ]+\n +[a-z]/];
    for (const form of [/: !!binary \|\n/, /^\? /m, double, single, none]) {
      expect(form.test(dumped.join()), `SEED=${seed} ${form.source}`).toBe(true);
    }
    for (const [i, pairs] of all.entries()) {
      for (const document of dumped[i] ?? []) {
        expect(await read(document), `SEED=${seed}\n${document}`).toEqual(secrets(pairs));
      }
    }
  });
});

it('a block that the end of the text cuts off has no line break there, as PyYAML has it', async () => {
  for (const [text, value] of [
    ['k: |\n  secret', 'secret'],
    ['k: |\n  secret\n', 'secret\n'],
    ['k: >\n  two\n  lines', 'two lines'],
    ['k: |-\n  secret', 'secret'],
  ] as const) {
    expect(await parseSecrets(Buffer.from(text)), text).toEqual([
      { name: 'k', value: new Uint8Array(Buffer.from(value)) },
    ]);
  }
});

it.each(['k: yes\r', 'k: \r', 'k: "a\rb"', 'k: "a\u2028b"'])(
  'a line break that not every parser takes for one is refused: %j',
  async (text) => {
    await expect(parseSecrets(Buffer.from(text))).rejects.toMatchObject({ code: 'USAGE' });
  },
);

it('YAML of over 16 MB is refused before it fills the memory', async () => {
  const large = parseSecrets(Buffer.from(`k: "${'x'.repeat(17_000_000)}"`));
  await expect(large).rejects.toMatchObject({ code: 'TOO_LARGE' });
});
