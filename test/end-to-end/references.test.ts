import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startRecorder, type Recorder } from '../support/recorder.ts';
import {
  asText,
  awsEnv,
  backends,
  dynalite,
  type Ended,
  failed,
  ok,
  type Place,
  runHere,
  type Running,
  stored,
} from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

const secretText = `it's "x" $(id) \\ é\n`;
const binary = Buffer.from([0, 255, 123, 123, 10]);

async function fillPlace(place: Place): Promise<void> {
  for (const [args, input] of [
    [['db', '-'], secretText],
    [['db', '-', '-a'], 'newer'],
    [['key', '-'], binary],
    [['prod', '-', 'env=prod'], 'of prod'],
    [['test', '-', 'env=test', 'team=a'], 'of test'],
    [['a b=c', '-'], 'odd'],
  ] as const) {
    const done = await place.cs(['put', ...args], { input });
    expect(done).toEqual(stored(args[0]));
  }
}

/** Several errors: what they are about, one line for each, and perhaps a hint. */
function failedFor(status: number, said: string, ...lines: string[]): unknown {
  const stderr: unknown = expect.toSatisfy(
    (text: string) => {
      const errors = text.split('\n').filter((each) => each.startsWith('credstash: error: '));
      const rest = text.split('\n').filter((each) => !each.startsWith('credstash: error: '));
      return (
        errors.length === lines.length + 1 &&
        errors[0]?.includes(said) === true &&
        lines.every((line, i) => errors[i + 1]?.includes(line)) &&
        rest.every((each) => each === '' || each.startsWith('credstash: hint: '))
      );
    },
    `errors that say ${[said, ...lines].join(' / ')}`,
  );
  return { status, stdout: '', stderr };
}

describe.each(backends)('$name', ({ start }) => {
  let running: Running;
  let place: Place;
  let cs: Place['cs'];
  const folder = temporaryFolder();
  const file = (name: string): string => join(folder, name);
  beforeAll(async () => {
    running = await start();
    place = await running.place();
    cs = place.cs;
    await fillPlace(place);
  });
  afterAll(async () => {
    await running.close();
  });

  describe('render', () => {
    const render = (template: string | Uint8Array, ...args: string[]): Promise<Ended> =>
      cs(['render', '-', ...args], { input: template });

    test('fills in the secrets, and leaves the rest as it is', async () => {
      const template = [
        'password: {{ credstash://db | json }}',
        'was: {{ credstash://db?version=1 | json }}',
        'sh: {{credstash://db?version=1|shell}}',
        'key: {{ credstash://key | base64 }}',
        'prod: {{ credstash://prod?env=prod }} {{ credstash://test?env=test&team=a }}',
        'odd: {{ credstash://a%20b%3Dc }}',
        'other: {{ .Values.x }} ${{ secrets.X }} {% raw %}',
        '',
      ].join('\r\n');
      const expected = [
        'password: "newer"',
        `was: ${JSON.stringify(secretText)}`,
        `sh: '${secretText.replace("'", "'\\''")}'`,
        `key: ${binary.toString('base64')}`,
        'prod: of prod of test',
        'odd: odd',
        'other: {{ .Values.x }} ${{ secrets.X }} {% raw %}',
        '',
      ].join('\r\n');
      expect(await render(template)).toEqual(ok(expected));
      writeFileSync(file('template'), template);
      expect(await cs(['render', file('template')])).toEqual(ok(expected));
    });

    test('pairs of the command line hold for all, and a pair of its own wins', async () => {
      expect(await render('{{credstash://prod}}', 'env=prod')).toEqual(ok('of prod'));
      const both = '{{credstash://prod?team=a}} {{credstash://test?env=test}}';
      expect(await render(both, 'env=prod', 'team=a')).toEqual(
        failedFor(6, '1 of 2 secrets cannot be got', 'line 1, column 1: version'),
      );
      const apart = '{{credstash://test?env=test}}{{credstash://test}}';
      expect(await render(apart, 'env=prod', 'team=a')).toEqual(
        failedFor(6, '1 of 2 secrets', 'line 1, column 30: version'),
      );
      expect(await render('{{credstash://test?env=test}}', 'env=prod', 'team=a')).toEqual(
        ok('of test'),
      );
    });

    test('bytes go through as they are', async () => {
      const around = Buffer.from([0xff, 0xfe, 0, 0x80, 0x7b]);
      const input = Buffer.concat([around, Buffer.from('{{credstash://key}}'), around]);
      const { status, stdout } = await place.raw(['render', '-'], { input });
      expect([status, stdout]).toEqual([0, Buffer.concat([around, binary, around])]);
    });

    test('-o: for its owner alone, by rename, and nothing on a failure', async () => {
      const output = file('output');
      writeFileSync(output, 'before', { mode: 0o644 });
      expect(await render('{{credstash://none}}', '-o', output)).toMatchObject({ status: 3 });
      expect(await render('{{credstash://}}', '-o', output)).toMatchObject({ status: 2 });
      expect(readFileSync(output, 'utf8')).toBe('before');
      const inode = statSync(output).ino;
      expect(await render('x{{credstash://db}}', '-o', output)).toEqual(ok(''));
      expect(readFileSync(output, 'utf8')).toBe('xnewer');
      expect(statSync(output).mode & 0o777).toBe(0o600);
      expect(statSync(output).ino).not.toBe(inode);
      const fresh = file('fresh');
      expect(await render('{{credstash://none}}', '-o', fresh)).toMatchObject({ status: 3 });
      expect(existsSync(fresh)).toBe(false);
      expect(readdirSync(folder).filter((each) => each.startsWith('.'))).toEqual([]);
    });

    test('all that is malformed is listed, and then all that does not resolve', async () => {
      const malformed =
        '名: {{credstash://}}\r\n{{credstash://none}} {{credstash://db?v}}\n\t{{credstash://db';
      expect(await render(malformed)).toEqual(
        failedFor(
          2,
          '3 references are malformed, so no secret was asked for',
          'line 1, column 4: the name of a secret cannot be empty',
          'line 2, column 22: the reference is malformed: it has a parameter without a =',
          'line 3, column 2: the reference is malformed: it is not closed by }}',
        ),
      );
      const unresolved =
        '{{credstash://none}} {{credstash://db}}\né{{credstash://prod}} {{credstash://db?version=9}} {{credstash://none}}';
      expect(await render(unresolved)).toEqual(
        failedFor(
          3,
          `4 of 5 secrets cannot be got from ${place.where}, so none is given`,
          `line 1, column 1: there is no secret none in ${place.where}`,
          `line 2, column 2: version ${v(1)} of prod: `,
          'line 2, column 23: db has no version 9',
          'line 2, column 52: there is no secret none',
        ),
      );
      expect(await render('{{credstash://key | json}}{{credstash://key|shell}}')).toEqual(
        failedFor(
          2,
          '2 of the secrets cannot be put into the template',
          'line 1, column 1: key is not UTF-8, which json needs',
          'line 1, column 27: key is not UTF-8, which shell needs',
        ),
      );
    });

    test('a template that cannot be read, or is too long: exit 2', async () => {
      for (const [args, said] of [
        [[file('none')], 'none cannot be read (ENOENT)'],
        [[folder], 'cannot be read (EISDIR)'],
        [[`@${file('template')}`], /cannot be read \(ENOENT\)\n.*hint: it is named without @/],
        [[file('template'), 'word'], 'KEY=VALUE'],
        [[file('template'), '-o', folder], 'is not a plain file'],
        [[file('template'), '-o', file('no/folder')], 'cannot be written'],
        [[], 'missing TEMPLATE'],
      ] as const) {
        expect(await cs(['render', ...args]), args.join(' ')).toEqual(failed(2, said));
      }
      writeFileSync(file('long'), Buffer.alloc(4 * 1024 * 1024 + 1, '{'));
      expect(await cs(['render', file('long')])).toEqual(failed(2, '4194304 bytes'));
      expect(await cs(['render', '/dev/zero'])).toEqual(failed(2, '4194304 bytes'));
    });

    test('without a reference: as it is, from a table or vault that is not there too', async () => {
      const absent = running.absent();
      for (const input of ['', 'text {{ x }}\n']) {
        expect(await absent.cs(['render', '-'], { input })).toEqual(ok(input));
      }
      expect(await absent.cs(['render', '-'], { input: '{{credstash://a}}' })).toMatchObject({
        status: 3,
        stdout: '',
      });
    });

    test('an entry that was tampered with decides the status: exit 5', async () => {
      const tampered = await running.place();
      await fillPlace(tampered);
      const entry = (await tampered.items()).find(
        ({ name }) => name && 'S' in name && name.S === 'key',
      );
      await tampered.plant({ ...entry, comment: { S: 'tampered' } });
      const input = '{{credstash://none}} {{credstash://key}}';
      expect(await tampered.cs(['render', '-'], { input })).toEqual(
        failedFor(5, '2 of 2 secrets', 'column 1: there is no', 'column 22: version'),
      );
    });
  });

  describe('get --json', () => {
    test('prints one object of the secrets, by the names as given', async () => {
      const both = '{\n    "key": {\n        "base64": "AP97ewo="\n    },\n    "db": "newer"\n}';
      expect(await cs(['get', '--json', 'key', 'db', 'key'])).toEqual(ok(`${both}\n`));
      expect(await cs(['get', 'key', 'db', '--json', '-n'])).toEqual(ok(both));
      expect(await cs(['get', '--json', 'db', '-f', 'json', '-v', '1'])).toEqual(
        ok(`${JSON.stringify({ db: secretText }, null, 4).replace('é', '\\u00e9')}\n`),
      );
      const output = file('several');
      expect(await cs(['get', '--json', 'env=prod', 'prod', '-o', output])).toEqual(ok(''));
      expect(JSON.parse(readFileSync(output, 'utf8'))).toEqual({ prod: 'of prod' });
      expect(statSync(output).mode & 0o777).toBe(0o600);
    });

    test('takes one glob, as a get without it does', async () => {
      const all = await cs(['get', 'd*']);
      expect(await cs(['get', '--json', 'd*'])).toEqual({ ...all, stdout: `${all.stdout}\n` });
    });

    test('gives all or none', async () => {
      expect(await cs(['get', '--json', 'db', 'none', 'prod'])).toEqual(
        failedFor(3, '2 of 3 secrets', 'none: there is no secret none', 'prod: version'),
      );
    });

    test('refuses what it cannot do: exit 2', async () => {
      for (const [args, said] of [
        [['env=prod'], 'no name of a secret'],
        [['db', '--default', 'x'], '--default is for one secret'],
        [['db', '-f', 'yaml'], '--format yaml is for a name with *'],
        [['db', 'd*'], 'a name with * cannot be combined'],
        [['d*', 'env=prod', 'e*'], 'a name with * cannot be combined'],
        [['db', '--skip-undecryptable'], '--skip-undecryptable is for'],
        [['db', '=x'], 'KEY=VALUE'],
        [['db', ''], 'cannot be empty'],
      ] as const) {
        expect(await cs(['get', '--json', ...args]), args.join(' ')).toEqual(failed(2, said));
      }
    });
  });
});

describe('how much is asked', () => {
  let running: Running;
  let recorder: Recorder;
  let table: string;
  const folder = temporaryFolder();
  const recorded = async (args: readonly string[], input = ''): Promise<Ended> => {
    const env = { ...awsEnv(recorder.url, recorder.url), HOME: folder };
    return asText(await runHere(['-t', table, ...args], { env, input }));
  };
  const actions = (): string[] => recorder.requests.map(({ action }) => action).sort();
  beforeAll(async () => {
    running = await dynalite.start();
    const place = await running.place();
    table = place.args[1] ?? '';
    await fillPlace(place);
    if (running.dynamo === undefined || !running.kms) throw new Error('not AWS');
    recorder = await startRecorder({ DynamoDB: running.dynamo, KMS: running.kms.url });
  });
  afterAll(async () => {
    await Promise.all([running.close(), recorder.close()]);
  });
  beforeEach(() => {
    recorder.requests.length = 0;
  });

  test('a secret that is named in ten places is one Query and one Decrypt', async () => {
    const ten = '{{credstash://db}}{{ credstash://%64b | json }}'.repeat(5);
    expect(await recorded(['render', '-'], ten)).toEqual(ok('newer"newer"'.repeat(5)));
    expect(actions()).toEqual(['DynamoDB.Query', 'KMS.Decrypt']);
    recorder.requests.length = 0;
    const two = '{{credstash://db}}{{credstash://db?version=1}}{{credstash://db?version=1|shell}}';
    expect(await recorded(['render', '-'], two)).toMatchObject({ status: 0 });
    expect(actions()).toEqual(['DynamoDB.GetItem', 'DynamoDB.Query', 'KMS.Decrypt', 'KMS.Decrypt']);
    recorder.requests.length = 0;
    expect(await recorded(['get', '--json', 'db', 'key', 'db'])).toMatchObject({ status: 0 });
    expect(actions()).toEqual(['DynamoDB.Query', 'DynamoDB.Query', 'KMS.Decrypt', 'KMS.Decrypt']);
  });

  test('nothing for no reference, and for one that is malformed', async () => {
    expect(await recorded(['render', '-'], 'plain {{ x }}')).toEqual(ok('plain {{ x }}'));
    const long = `{{credstash://${'n'.repeat(2048)}}}`;
    for (const [input, ...pairs] of [
      ['{{credstash://db}}{{credstash://db'],
      ['{{credstash://db}}{{credstash://db|x}}'],
      ['{{credstash://db}}{{credstash://db?version=}}'],
      [`{{credstash://db}}${long}`, `k=${'v'.repeat(6200)}`],
    ] as const) {
      expect(await recorded(['render', '-', ...pairs], input)).toMatchObject({ status: 2 });
    }
    expect(await recorded(['get', '--json', 'db', ''])).toMatchObject({ status: 2 });
    expect(recorder.requests).toEqual([]);
  });

  test('what is about the service is one error, and no list', async () => {
    const env = { ...awsEnv(recorder.url, recorder.url), AWS_MAX_ATTEMPTS: '1' };
    const input = '{{credstash://db}}{{credstash://key}}';
    const none = asText(await runHere(['-t', 'no-such-table', 'render', '-'], { env, input }));
    expect(none).toEqual(failed(3, 'there is no table no-such-table'));
  });
});
