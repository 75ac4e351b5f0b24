import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { CredstashError } from '../../src/errors.ts';
import { fillTemplate, parseTemplate } from '../../src/operations/render.ts';
import { decodeUtf8 } from '../../src/util/utf8.ts';
import { anyText, examples, textFrom } from '../format/secrets.ts';
import { describeWithPython, python } from '../support/python.ts';

const bytes = (text: string | Uint8Array): Buffer => Buffer.from(text);

/** A template with each reference filled by `secret`. */
function filled(template: string | Uint8Array, secret: string | Uint8Array = 'SECRET'): Buffer {
  const { texts, slots } = parseTemplate(bytes(template), {});
  return bytes(
    fillTemplate(
      texts,
      slots.map((slot) => ({ ...slot, value: bytes(secret) })),
    ),
  );
}

const text = (template: string, secret?: string | Uint8Array): string =>
  filled(template, secret).toString();

function errorOf(use: () => unknown): CredstashError {
  try {
    use();
  } catch (error) {
    if (error instanceof CredstashError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

const failuresOf = (template: string | Uint8Array): [place: string, message: string][] =>
  errorOf(() => parseTemplate(bytes(template), {})).failures.map(({ name, error }) => [
    name,
    error.message.replace('the reference is malformed: ', ''),
  ]);

describe('a template', () => {
  it.each([
    ['', ''],
    ['{{ credstash://a }}', 'SECRET'],
    ['{{credstash://a}}', 'SECRET'],
    ['{{\r\n\tcredstash://a\n}}', 'SECRET'],
    ['x{{ credstash://a?version=2&k=v }}y{{ credstash://b }}', 'xSECRETySECRET'],
    ['{{{ credstash://a }}}', '{SECRET}'],
    ['{"a":{"b":{{credstash://a|json}}}}', '{"a":{"b":"SECRET"}}'],
    ['{{{{credstash://a}}}}', '{{SECRET}}'],
    ['{{{{ credstash://a }}}}', '{{SECRET}}'],
    ['{{ x {{ credstash://a }}', '{{ x SECRET'],
    ['}}{{ credstash://a }}{{', '}}SECRET{{'],
    ['{{ credstash://%E5%90%8D }}', 'SECRET'],
    ['{{ credstash://a |base64|  json }}', '"U0VDUkVU"'],
  ])('%j becomes %j', (template, expected) => {
    expect(text(template)).toBe(expected);
  });

  it.each([
    '{{ .Values.password }}',
    "{{ lookup('credstash', 'a') }}",
    '{{ "credstash://a" }}',
    '${{ secrets.CREDSTASH }}',
    '{{- credstash://a -}}',
    '{{ CREDSTASH://a }}',
    '{{ credstash:/a }}',
    '{ { credstash://a } }',
    '{% credstash://a %}',
    '{ credstash://a }',
    'credstash://a',
    '{{',
    '{{ ',
    '{{ credstash:/',
    '{{}}',
    '{{{}}}',
  ])('leaves %j alone', (template) => {
    const { texts, slots } = parseTemplate(bytes(template), {});
    expect(slots).toEqual([]);
    expect(Buffer.concat(texts).toString()).toBe(template);
  });

  it('puts a secret in as its bytes, and leaves bytes of any other encoding alone', () => {
    const around = Buffer.from([0xff, 0xe9, 0x00, 0x80]);
    const secret = Buffer.from([0x00, 0xff, 0x7b, 0x7b]);
    const template = Buffer.concat([around, bytes('{{ credstash://a }}'), around]);
    expect(filled(template, secret)).toEqual(Buffer.concat([around, secret, around]));
  });

  it('is not looked at again where a secret has a reference or a pattern in it', () => {
    expect(text('{{ credstash://a }}!', '{{ credstash://b }} $& $1')).toBe(
      '{{ credstash://b }} $& $1!',
    );
  });

  it('gives pairs that hold for all references to each', () => {
    const { slots } = parseTemplate(bytes('{{credstash://a?env=x}}{{credstash://b}}'), {
      env: 'prod',
      k: 'v',
    });
    expect(slots.map(({ name, context }) => [name, { ...context }])).toEqual([
      ['a', { env: 'x', k: 'v' }],
      ['b', { env: 'prod', k: 'v' }],
    ]);
  });

  it('may be bytes in the middle of a larger buffer', () => {
    const whole = bytes('{{ credstash://x }}{{ credstash://a }}.');
    const { slots, texts } = parseTemplate(whole.subarray(19, 38), {});
    expect(slots.map(({ name }) => name)).toEqual(['a']);
    expect(Buffer.concat(texts)).toHaveLength(0);
  });
});

describe('what is malformed', () => {
  it('is listed, all of it, by line and column in characters', () => {
    const template = [
      '名前 😀 = {{ credstash:// }}',
      'é{{ credstash://a? }} {{ credstash://ok }} {{ credstash://a | hex }}',
      '\t{{ credstash://a b }}',
      '{{ credstash://a',
      '}} {{ credstash://a {{ credstash://b',
    ].join('\r\n');
    const expected = [
      ['line 1, column 8', 'the name of a secret cannot be empty'],
      ['line 2, column 2', 'it has a parameter without a ='],
      ['line 2, column 44', 'a filter is one of base64, json, shell'],
      ['line 3, column 2', expect.stringMatching('white space')],
      ['line 5, column 4', 'it is not closed by }}'],
      ['line 5, column 21', 'it is not closed by }}'],
    ];
    expect(failuresOf(template)).toEqual(expected);
    expect(failuresOf(`\ufeff${template}`)).toEqual(expected);
    expect(errorOf(() => parseTemplate(bytes(template), {}))).toMatchObject({
      code: 'USAGE',
      message: '6 references are malformed, so no secret was asked for',
    });
  });

  it.each([
    ['{{ credstash://a', 'it is not closed by }}'],
    ['{{ credstash://a }', 'it is not closed by }}'],
    ['{{ credstash://a}b }}', /white space or one of/],
    ['{{ credstash://a | }}', 'a filter is one of base64, json, shell'],
    ['{{ credstash://a || json }}', 'a filter is one of base64, json, shell'],
    ['{{ credstash://a | JSON }}', 'a filter is one of base64, json, shell'],
    ['{{ credstash://a | __proto__ }}', 'a filter is one of base64, json, shell'],
    ['{{ credstash://a | json x }}', 'a filter is one of base64, json, shell'],
    [
      '{{ credstash://a?label=-x }}',
      'a label has up to 128 letters, digits and . _ -, the first a letter or a digit',
    ],
  ])('%j: %s', (template, said) => {
    const message: unknown = typeof said === 'string' ? said : expect.stringMatching(said);
    expect(failuresOf(template)).toEqual([['line 1, column 1', message]]);
  });

  it('is a reference whose bytes are not UTF-8', () => {
    const template = Buffer.concat([bytes('{{ credstash://a'), Buffer.of(0xe9), bytes(' }}')]);
    expect(failuresOf(template)).toEqual([['line 1, column 1', 'it is not UTF-8']]);
  });
});

describe('a filter', () => {
  it('json makes a text that JSON and YAML read back', () => {
    fc.assert(
      fc.property(anyText, (secret) => {
        const wellFormed = secret.toWellFormed();
        const rendered = text('{{ credstash://a | json }}', wellFormed);
        expect(JSON.parse(rendered)).toBe(wellFormed);
        for (const version of ['1.1', '1.2'] as const) {
          expect(parseYaml(`a: ${rendered}\n`, { version })).toEqual({ a: wellFormed });
        }
      }),
    );
  });

  it.each(['sh', 'bash'])('shell makes a word that %s takes for the secret', (program) => {
    const nasty = textFrom('\'"`$(){}\\!#=%*?~;&|<> \n\r\té😀', '$(id)', "''", "\\'", '--');
    const secrets = examples(fc.oneof(nasty, anyText), 300)
      .map((each) => each.toWellFormed().replaceAll('\0', ''))
      .concat('', "'", '\n\n', ' a ', '-n');
    const script = secrets
      .map((each) => `printf '%s\\0' ${text('{{ credstash://a | shell }}', each)}\n`)
      .join('');
    const { status, stdout } = spawnSync(program, { input: script, encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toBe(secrets.map((each) => `${each}\0`).join(''));
  });

  it('base64 takes any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (secret) => {
        const rendered = text('{{ credstash://a | base64 }}', secret);
        expect(Buffer.from(rendered, 'base64')).toEqual(bytes(secret));
        expect(rendered).toBe(bytes(secret).toString('base64'));
      }),
    );
  });

  it('refuses a secret that it cannot hold, and names each, by its place too', () => {
    const template = '{{credstash://a}}{{credstash://b|json}}\n{{credstash://c | shell}}';
    const { texts, slots } = parseTemplate(bytes(template), {});
    const fillBy = (value: Uint8Array) => () =>
      fillTemplate(
        texts,
        slots.map((slot) => ({ ...slot, value })),
      );
    const binary = errorOf(fillBy(Buffer.of(0xff)));
    expect(binary).toMatchObject({ code: 'USAGE', exitStatus: 2 });
    expect(binary.failures.map(({ name, error }) => [name, error.message])).toEqual([
      ['line 1, column 18', 'b is not UTF-8, which json needs'],
      ['line 2, column 1', 'c is not UTF-8, which shell needs'],
    ]);
    expect(errorOf(fillBy(bytes('a\0b'))).failures).toMatchObject([
      {
        name: 'line 2, column 1',
        error: { message: expect.stringMatching('^c has a NUL') as string },
      },
    ]);
  });
});

describeWithPython('the filter json', () => {
  it('makes a text that PyYAML reads back', () => {
    const nasty = textFrom('\x7f\x85\x9f\u2028\u2029\ufeff\ufffe\uffff😀é"\\\n\0');
    const secrets = examples(fc.oneof(anyText, nasty), 300).map((each) => each.toWellFormed());
    const documents = secrets.map((each) => text('{{ credstash://a | json }}', each));
    expect(python('result = [yaml.safe_load(each) for each in data]', documents)).toEqual(secrets);
  });
});

describe('whatever a template is', () => {
  const piece = fc.oneof(
    fc.constantFrom('{{', '}}', '{', '}', ' ', '\n', '\r\n', 'credstash://', '{{ credstash://a }}'),
    fc.constantFrom(
      '{{ credstash://b?k=v | json }}',
      '{{ credstash://a b }}',
      '{{credstash://',
      '|',
      '?',
      '=',
      'json',
      'é',
      '😀',
      '\ufeff',
    ),
    textFrom('a%2{}| \n'),
  );
  const template = fc
    .array(fc.oneof({ arbitrary: piece, weight: 9 }, { arbitrary: fc.uint8Array(), weight: 1 }))
    .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part))));

  it('without a reference it comes back as it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array().map(bytes), template), (any) => {
        const plain = bytes(any.toString('latin1').replaceAll('credstash://', 'x'));
        const { texts, slots } = parseTemplate(plain, {});
        expect(slots).toEqual([]);
        expect(bytes(fillTemplate(texts, []))).toEqual(plain);
      }),
    );
  });

  it('it is taken apart with nothing lost, or refused with a place that is right', () => {
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(template, (any) => {
        try {
          const { texts, slots } = parseTemplate(any, {});
          taken += slots.length;
          expect(texts).toHaveLength(slots.length + 1);
          // What lies between two texts is a reference in its braces.
          const between: string[] = [];
          for (const [i, each] of texts.slice(1).entries()) {
            const from = (texts[i]?.byteOffset ?? 0) + (texts[i]?.length ?? 0);
            between.push(Buffer.from(each.buffer, from, each.byteOffset - from).toString());
          }
          for (const each of between) expect(each).toMatch(/^\{\{\s*credstash:\/\/[^]*\}\}$/);
        } catch (error) {
          if (!(error instanceof CredstashError)) throw error;
          expect(error.code).toBe('USAGE');
          const lines = decodeUtf8(any)
            ?.replace(/^\ufeff/, '')
            .split('\n');
          for (const { name } of error.failures) {
            refused += 1;
            const [, line, column] = /^line (\d+), column (\d+)$/.exec(name) ?? [];
            if (!lines) continue;
            const rest = Array.from(lines[Number(line) - 1] ?? '').slice(Number(column) - 1);
            expect(rest.slice(0, 2).join('')).toBe('{{');
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });
});

it('a result that would have over 256 MB is refused', () => {
  const { texts, slots } = parseTemplate(bytes('{{credstash://a}}'.repeat(700)), {});
  const value = new Uint8Array(400_000);
  const large = errorOf(() =>
    fillTemplate(
      texts,
      slots.map((slot) => ({ ...slot, value })),
    ),
  );
  expect(large).toMatchObject({ code: 'TOO_LARGE', exitStatus: 2 });
});
