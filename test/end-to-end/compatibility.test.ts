import { parse as parseDotenv } from 'dotenv';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import vectors from '../vectors/credstash-1.17.1.json' with { type: 'json' };
import { pty } from '../support/run.ts';
import {
  asText,
  awsPlace,
  dynalite,
  type Ended,
  ok,
  type Place,
  runHere,
  type Running,
  stored,
} from './backends.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { shell } from './shell.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

/*
 * docs/reference/compatibility.md, row by row, on KMS and DynamoDB: what a script of the original meets. Rows that other tests
 * show have their number there.
 */

let running: Running;
let recorder: Recorder;
let place: Place;
let cs: Place['cs'];
const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  running = await dynalite.start();
  recorder = await startRecorder({
    DynamoDB: running.dynamo ?? '',
    KMS: running.kms?.url ?? '',
  });
});
afterAll(async () => {
  await recorder.close();
  await running.close();
});

/** A table of each test's own, with every request recorded. */
beforeEach(async () => {
  const [, table = ''] = (await running.place()).args;
  place = awsPlace(recorder.url, recorder.url, table, runHere);
  cs = place.cs;
  recorder.requests.length = 0;
});
afterEach(() => {
  recorder.meddle = undefined;
});

/** What was asked, each with how often. */
function asked(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { action } of recorder.requests) counts[action] = (counts[action] ?? 0) + 1;
  return counts;
}

/** Stores these as version 1. */
async function put(secrets: Readonly<Record<string, unknown>>, ...args: string[]): Promise<void> {
  const input = JSON.stringify(secrets);
  expect(await cs(['putall', '-', ...args], { input })).toMatchObject({ status: 0, stderr: '' });
  recorder.requests.length = 0;
}

/** A failure that says on stderr all of these lines, and nothing else. */
function fails(status: number, ...lines: string[]): Ended {
  return { status, stdout: '', stderr: lines.map((line) => `credstash: ${line}\n`).join('') };
}

describe('the command line', () => {
  test('--log-level takes the names of Python in any case; debug prints where an error came from [compat 7]', async () => {
    for (const level of ['CRITICAL', 'ERROR', 'WARNING', 'INFO', 'NOTSET', 'warn', 'Fatal']) {
      expect(await cs(['--log-level', level, 'list']), level).toEqual(ok(''));
    }
    const { stderr } = await cs(['--log-level', 'DEBUG', 'get', 'nothing']);
    expect(stderr).toMatch(/^credstash: error: [^]*credstash: debug: .* at /);
    expect(await cs(['--log-level', 'loud', 'list'])).toMatchObject({ status: 2, stdout: '' });
  });

  test('no log is written unless --log-file names one, for its owner alone [compat 8]', async () => {
    const options = { cwd: folder, env: { HOME: folder } };
    expect(await cs(['get', 'nothing'], options)).toMatchObject({ status: 3 });
    expect(existsSync(file('credstash.log'))).toBe(false);

    const { stderr } = await cs(['--log-file', 'my.log', 'get', 'nothing'], options);
    expect(stderr).toMatch(
      /^credstash: error: there is no secret nothing [^\n]+\ncredstash: hint: [^\n]+\n$/,
    );
    expect(await cs(['--log-file', 'my.log', 'get', 'nothing'], options)).toMatchObject({
      status: 3,
    });
    const log = readFileSync(file('my.log'), 'utf8');
    expect(log.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z error: there is no secret nothing/gm)).toHaveLength(
      2,
    );
    expect(log).toMatch(/debug: {5}at /);
    expect(statSync(file('my.log')).mode & 0o777).toBe(0o600);

    const none = join(folder, 'none', 'x.log');
    const refused = await cs(['--log-file', none, 'put', 'n', 'v']);
    expect(refused).toEqual(
      fails(
        2,
        `error: the log ${none} cannot be written (ENOENT)`,
        `hint: create the folder: mkdir -p ${join(folder, 'none')}`,
      ),
    );
    expect(await cs(['--log-file', '/dev/full', 'get', 'nothing'])).toEqual(
      fails(2, 'error: the log /dev/full is not a plain file'),
    );
  });

  test('a long option of the original can be abbreviated [compat 9]', async () => {
    const [option = '', table = ''] = place.args;
    expect(option).toBe('-t');
    const bare = async (...args: string[]): Promise<Ended> =>
      asText(await runHere(args, { env: place.env }));
    expect(await bare('--tab', table, '--reg=us-east-1', 'put', 'n', 'one')).toEqual(stored('n'));
    expect(await bare('--t', table, 'put', '--auto', '--com=c', 'n', 'two')).toEqual(stored('n'));
    expect(await bare('--t', table, 'get', 'n', '--v', '1', '--no')).toEqual(ok('one'));
    expect(await bare('--t', table, 'getall', '--form', 'csv')).toEqual(ok('n,two\n\n'));
    // The value of another option is none.
    for (const value of ['--n', '--local', '--no-such']) {
      const none = await bare('--t', table, 'get', 'none', '--default', value);
      expect(none).toEqual(ok(`${value}\n`));
    }
    // --log is two options, --lit none of the original's, and behind -- there is none at all.
    expect(await bare('--log', 'debug', 'list')).toMatchObject({ status: 2 });
    expect(await bare('--t', table, 'put', 'm', 'v', '--lit')).toMatchObject({ status: 2 });
    expect(await bare('--t', table, 'put', 'm', '--', '--auto')).toEqual(stored('m'));
    expect(await bare('--t', table, 'get', 'm')).toEqual(ok('--auto\n'));
  });

  test('options and arguments stand in any order, and not all that begins with a dash is an option [compat 10]', async () => {
    expect(await cs(['put', '-v', '2', 'n', '-c', 'x', 'value', 'a=b', '-d', 'SHA512'])).toEqual(
      stored('n'),
    );
    expect(await cs(['get', 'a=b', 'n'])).toMatchObject({ status: 2 });
    expect(await cs(['get', 'n', '-v', '2', 'a=b'])).toEqual(ok('value\n'));
    const pem = '-----BEGIN RSA PRIVATE KEY-----\nab+/c==\n-----END RSA PRIVATE KEY-----\n';
    for (const [name, value] of Object.entries({
      pem,
      five: '-5',
      half: '-.5',
      dash: '-e b',
      two: '-- x',
      global: '-t x',
    })) {
      expect(await cs(['put', name, value, '-c', '-x comment', 'k=v'])).toEqual(stored(name));
      expect(await cs(['get', '-n', name, 'k=v'])).toEqual(ok(value));
    }
    expect((await cs(['list', 'pem'])).stdout).toBe(
      `pem -- version ${v(1)} -- comment -x comment\n`,
    );
    // What argparse takes for an option is one here.
    expect(await cs(['put', 'none', '-cone two'], { input: 'from stdin' })).toEqual(stored('none'));
    expect(await cs(['get', 'none'])).toEqual(ok('from stdin\n'));
    expect(await cs(['put', 'none', '-x'])).toMatchObject({ status: 2 });
  });
});

describe('put', () => {
  test('takes VALUE as text, @FILE, - and the context, and prints what it stored [compat 14]', async () => {
    writeFileSync(file('value'), 'from a file\n');
    expect(await cs(['put', 'text', 'a value'])).toEqual(stored('text'));
    expect(await cs(['put', 'file', `@${file('value')}`, 'a=b', 'c=d'])).toEqual(stored('file'));
    expect(await cs(['put', 'stdin', '-'], { input: 'from stdin' })).toEqual(stored('stdin'));
    expect(await cs(['get', 'text'])).toEqual(ok('a value\n'));
    expect(await cs(['get', 'file', 'c=d', 'a=b'])).toEqual(ok('from a file\n\n'));
    expect(await cs(['get', 'stdin'])).toEqual(ok('from stdin\n'));
  });

  test('does not count on from an unpadded version, after which a padded one would be lost [compat 19]', async () => {
    await cs(['put', 'old', 'x', '--cipher', 'AES-256-CTR']);
    const [item] = await place.items();
    await place.plant({ ...item, version: { S: '3' } });
    expect(await cs(['put', 'old', 'y', '-a'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('would sort before it') as string,
    });
    expect(await cs(['get', 'old'])).toEqual(ok('x\n'));
  });

  test.each(['SHA', 'SHA224', 'MD5'])(
    '-d %s is read and not written [compat 20]',
    async (digest) => {
      const refused = await cs(['put', 'n', 'v', '-d', digest, '--cipher', 'AES-256-CTR']);
      expect(refused).toEqual(
        fails(
          2,
          'error: secrets are not stored under that digest',
          'hint: take one of SHA256, SHA384, SHA512',
        ),
      );
      expect(recorder.requests).toEqual([]);
    },
  );

  test('-k, -c and -d are as they were [compat 20]', async () => {
    running.kms?.addKey('alias/other');
    expect(await cs(['put', 'n', 'v', '-k', 'alias/other', '-c', 'why', '-d', 'SHA384'])).toEqual(
      stored('n'),
    );
    expect(running.kms?.requests.at(-1)?.body).toMatchObject({ KeyId: 'alias/other' });
    expect(await place.items()).toMatchObject([{ comment: { S: 'why' }, digest: { S: 'SHA384' } }]);
    expect(await cs(['put', 'm', 'v'])).toEqual(stored('m'));
    expect(running.kms?.requests.at(-1)?.body).toMatchObject({ KeyId: 'alias/credstash' });
  });
});

describe('get with a *, and getall', () => {
  const secrets = { 'app.db': 'p@ss', 'app.key': "it's\n", 'apple.db': 'x', Umlaut: 'ü' };
  const json = (values: object): string =>
    JSON.stringify(Object.fromEntries(Object.entries(values).sort()), null, 4).replace(
      'ü',
      '\\u00fc',
    );

  test('* is any run of characters, and nothing else is special [compat 24]', async () => {
    await put({ ...secrets, 'a.*': 'star', '[a]': 'brackets' });
    const { 'app.db': db, 'app.key': key } = secrets;
    expect(await cs(['get', 'app.*'])).toEqual(ok(json({ 'app.db': db, 'app.key': key })));
    expect(await cs(['get', '*.db'])).toEqual(ok(json({ 'app.db': db, 'apple.db': 'x' })));
    expect(await cs(['get', 'a*.*b'])).toEqual(ok(json({ 'app.db': db, 'apple.db': 'x' })));
    expect(await cs(['get', 'a.*'])).toEqual(ok(json({ 'a.*': 'star' })));
    expect(await cs(['get', '[a]*'])).toEqual(ok(json({ '[a]': 'brackets' })));
    expect(await cs(['get', 'zzz*'])).toEqual(ok('{}'));
    expect(await cs(['get', 'app.*', '-f', 'csv', '-n'])).toEqual(
      ok(`app.db,p@ss\napp.key,"it's\n"\n`),
    );
    expect(await cs(['get', 'a*', '--default', 'x'])).toMatchObject({ status: 2, stdout: '' });
  });

  test('a format holds for one secret, too [compat 22]', async () => {
    await put(secrets);
    expect(await cs(['get', 'app.db', '-f', 'csv'])).toEqual(ok('app.db,p@ss\n'));
    expect(await cs(['get', '-f', 'dotenv', 'app.db'])).toEqual(ok("APP_DB='p@ss'\n"));
    expect(await cs(['get', '-f', 'json', 'app.db'])).toEqual(
      ok(`${json({ 'app.db': secrets['app.db'] })}\n`),
    );
    expect(await cs(['get', 'app.db', '--for', 'yaml'])).toEqual(ok('app.db: p@ss\n'));
    expect(await cs(['get', 'app.db'])).toEqual(ok('p@ss\n'));
  });

  test('what matches is written to a file of mode 0600, too [compat 24]', async () => {
    await put(secrets);
    expect(await cs(['get', 'app.d*', '-o', file('out.json')])).toEqual(ok(''));
    expect(readFileSync(file('out.json'), 'utf8')).toBe('{\n    "app.db": "p@ss"\n}');
    expect(statSync(file('out.json')).mode & 0o777).toBe(0o600);
  });

  test('getall prints every secret once, in each format, and one more newline [compat 25] [compat 29]', async () => {
    expect(await cs(['getall'])).toEqual(ok('{}\n'));
    expect(await cs(['getall', '-f', 'yaml'])).toEqual(ok('{}\n\n'));
    expect(await cs(['getall', '-f', 'csv'])).toEqual(ok('\n'));
    expect(await cs(['getall', '-f', 'dotenv'])).toEqual(ok('\n'));
    await put(secrets);
    await cs(['put', 'app.db', 'newer', '-a']);
    const newest = { ...secrets, 'app.db': 'newer' };
    expect(await cs(['getall'])).toEqual(ok(`${json(newest)}\n`));
    expect(await cs(['getall', '-f', 'json'])).toEqual(ok(`${json(newest)}\n`));
    expect(await cs(['getall', '-f', 'xml'])).toMatchObject({ status: 2, stdout: '' });
  });

  test('yaml is read back as the same texts [compat 26]', async () => {
    const values = {
      a: 'yes',
      b: '007',
      c: '1e3',
      d: '2026-11-23',
      e: '~',
      f: 'two\nlines',
      g: 'plain text',
    };
    await put(values);
    const { stdout } = await cs(['getall', '-f', 'yaml']);
    expect(stdout).toBe(
      `a: 'yes'\nb: '007'\nc: '1e3'\nd: '2026-11-23'\ne: '~'\nf: "two\\nlines"\ng: plain text\n\n`,
    );
    for (const version of ['1.1', '1.2'] as const)
      expect(parseYaml(stdout, { version })).toEqual(values);
  });

  test('csv quotes what must be quoted [compat 27]', async () => {
    await put({ 'b,c': 'say "hi"', a: 'two\r\nlines', c: ' plain ' });
    expect(await cs(['getall', '-f', 'csv'])).toEqual(
      ok('a,"two\r\nlines"\n"b,c","say ""hi"""\nc, plain \n\n'),
    );
  });

  test('dotenv is what the npm package dotenv reads back [compat 28]', async () => {
    await put({ 'db.password': `it's "$HOME" #1 \\n`, '1st-key': 'two\nlines', simple: 'value' });
    const { stdout } = await cs(['getall', '-f', 'dotenv']);
    expect(stdout).toContain("SIMPLE='value'\n");
    expect(parseDotenv(stdout)).toEqual({
      DB_PASSWORD: `it's "$HOME" #1 \\n`,
      _1ST_KEY: 'two\nlines',
      SIMPLE: 'value',
    });
    const raw = await cs(['getall', '-f', 'dotenv', '--raw-names']);
    expect(Object.keys(parseDotenv(raw.stdout)).sort()).toEqual([
      '1st-key',
      'db.password',
      'simple',
    ]);
    await put({ 'db-password': 'x', nul: 'a\0b' });
    expect(await cs(['getall', '-f', 'dotenv'])).toEqual(
      fails(
        2,
        'error: dotenv cannot hold 2 of the secrets',
        'error: db.password: its variable would be DB_PASSWORD, as that of db-password',
        'error: nul: no quotes of dotenv can hold its value',
        'hint: json and yaml can; or choose other secrets with credstash get GLOB -f dotenv',
      ),
    );
  });

  test('-v gets that version of each, and fails for one that lacks it [compat 29]', async () => {
    await put({ a: 'a1', b: 'b1' });
    await put({ a: 'a2', b: 'b2' }, '-v', '2');
    expect(await cs(['getall', '-v', '1'])).toEqual(ok('{\n    "a": "a1",\n    "b": "b1"\n}\n'));
    expect(await cs(['get', 'a*', '-v', v(2)])).toEqual(ok('{\n    "a": "a2"\n}'));
    await put({ c: 'c1' });
    const lacks = `error: c: c has no version 2 in ${place.where}`;
    expect(await cs(['getall', '-v', '2'])).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringContaining(lacks) as string,
    });
  });

  test('what does not open is named, each with its reason, and nothing is printed [compat 30]', async () => {
    await put({ a: 'open', b: 'open too' });
    await put({ c: 'of prod' }, 'env=prod');
    await cs(['put', 'd', 'changed']);
    const changed = (await place.items()).find(({ name }) => name && 'S' in name && name.S === 'd');
    await place.plant({ ...changed, contents: { B: randomBytes(40) } });
    // KMS would refuse the request, and not the entry.
    await place.plant({ ...changed, name: { S: 'e' }, key: { B: randomBytes(6145) } });
    const failed = await cs(['getall']);
    // An entry that does not verify is the worst of them.
    expect(failed).toMatchObject({ status: 5, stdout: '' });
    const lines = failed.stderr.split('\n');
    expect(lines[0]).toBe(
      `credstash: error: 3 of 5 secrets in ${place.where} cannot be opened, so none is given`,
    );
    expect(lines[1]).toMatch(
      /^credstash: error: c: version 0+1 of c: KMS refused .* another encryption context/,
    );
    expect(lines[2]).toMatch(/^credstash: error: d: version 0+1 of d: it does not verify/);
    expect(lines[3]).toMatch(/^credstash: error: e: version 0+1 of e is malformed/);
    expect(lines[4]).toMatch(/^credstash: hint: .*--skip-undecryptable$/);
    expect(lines).toHaveLength(6);

    const rest = await cs(['getall', '--skip-undecryptable']);
    expect(rest).toMatchObject({
      status: 0,
      stdout: '{\n    "a": "open",\n    "b": "open too"\n}\n',
    });
    expect(rest.stderr.match(/^credstash: warning: [cde] is left out: version /gm)).toHaveLength(3);
    expect(await cs(['get', 'b*'])).toEqual(ok('{\n    "b": "open too"\n}'));
    expect(await cs(['getall', 'env=prod'])).toMatchObject({ status: 5, stdout: '' });
  });

  test('access denied on the key of one: status 6, and it can be left out [compat 30]', async () => {
    await put({ a: 'open' });
    running.kms?.addKey('alias/theirs');
    await put({ b: 'theirs' }, '-k', 'alias/theirs');
    recorder.meddle = (action, _, sent) =>
      Promise.resolve(
        action === 'KMS.Decrypt' && sent.includes('"credstash:name":"b"')
          ? awsError('AccessDeniedException', 'not authorized to perform: kms:Decrypt')
          : undefined,
      );
    expect(await cs(['getall'])).toMatchObject({ status: 6, stdout: '' });
    const rest = await cs(['getall', '--skip-undecryptable']);
    expect(rest.status).toBe(0);
    expect(rest.stderr).toMatch(
      /^credstash: warning: \w is left out: .*access denied: kms:Decrypt/,
    );
  });

  test('what is not about one secret is never left out: throttled, no credentials [compat 30]', async () => {
    await put({ a: 'x', b: 'y' });
    const env = { AWS_MAX_ATTEMPTS: '1' };
    recorder.meddle = (action) =>
      Promise.resolve(action === 'KMS.Decrypt' ? awsError('ThrottlingException') : undefined);
    const throttled = await cs(['getall', '--skip-undecryptable'], { env });
    expect(throttled).toMatchObject({ status: 7, stdout: '' });
    recorder.meddle = (action) =>
      Promise.resolve(action === 'KMS.Decrypt' ? awsError('ExpiredTokenException') : undefined);
    expect(await cs(['getall', '--skip-undecryptable'], { env })).toMatchObject({
      status: 6,
      stdout: '',
    });
  });

  test('the table is read once, and 32 data keys are unwrapped at once: pages + N requests [compat 31]', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`n${i}`, 'x'.repeat(60_000)]),
    );
    await put(many);
    await put(many, '-a');
    // 80 items of 60 KB, in pages of 1 MB. The first 32 answers are held back until all of them are asked for.
    let inFlight = 0;
    let release: () => void = () => undefined;
    const together = new Promise<void>((resolve) => (release = resolve));
    recorder.meddle = async (action) => {
      if (action !== 'KMS.Decrypt') return undefined;
      inFlight += 1;
      if (inFlight === 32) release();
      await together;
      return undefined;
    };
    const { status, stdout } = await cs(['getall']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(many);
    const { 'DynamoDB.Scan': pages = 0, ...others } = asked();
    expect(pages).toBeGreaterThanOrEqual(5);
    expect(pages).toBeLessThan(10);
    expect(others).toEqual({ 'KMS.Decrypt': 40 });
    recorder.requests.length = 0;
    expect((await cs(['get', 'n1*'])).status).toBe(0);
    expect(asked()['KMS.Decrypt']).toBe(11);
    expect(
      recorder.requests.every(({ action }) => ['DynamoDB.Scan', 'KMS.Decrypt'].includes(action)),
    ).toBe(true);
  });
});

test('keys prints each name once, sorted, and asks for no secret [compat 32]', async () => {
  expect(await cs(['keys'])).toEqual(ok(''));
  await put({ b: '1', 'a b': '2', ü: '3', B: '4', 'esc\u001b[31m': '5' });
  await put({ b: 'again' }, '-a');
  expect(await cs(['keys'])).toEqual(ok('B\na b\nb\nesc\\u001b[31m\nü\n'));
  expect(asked()).toEqual({ 'DynamoDB.Scan': 1 });
});

describe('putall', () => {
  const said = (...names: string[]): string =>
    names.map((name) => `${name} has been stored\n`).join('');

  test('takes JSON as text, @FILE and -, and the context [compat 35]', async () => {
    writeFileSync(file('all.json'), '{"c": "3", "d": "4"}');
    expect(await cs(['putall', '{"b": "2", "a": "1"}', 'k=v'])).toEqual(ok(said('b', 'a')));
    expect(await cs(['putall', `@${file('all.json')}`, 'k=v'])).toEqual(ok(said('c', 'd')));
    expect(await cs(['putall', '-', 'k=v'], { input: '{"e": ""}' })).toEqual(ok(said('e')));
    expect(await cs(['putall', '{}'])).toEqual(ok(''));
    expect(await cs(['getall', 'k=v', '-f', 'csv'])).toEqual(ok('a,1\nb,2\nc,3\nd,4\ne,\n\n'));
  });

  test('YAML too, in which what may be no text must be quoted [compat 35]', async () => {
    const yaml =
      'plain: text here\nquoted: "5"\nblock: |\n  two\n  lines\nbinary: !!binary "/wA="\n';
    expect(await cs(['putall', '-'], { input: yaml })).toEqual(
      ok(said('plain', 'quoted', 'block', 'binary')),
    );
    expect(await cs(['get', 'block'])).toEqual(ok('two\nlines\n\n'));
    const refused = await cs(['putall', '-'], { input: 'a: fine\nport: 5432\nok: yes\n' });
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toMatch(/error: port: .*\n.*error: ok: /);
  });

  test.each(['json', 'yaml'])(
    'what getall -f %s prints restores every secret [compat 35]',
    async (format) => {
      const bytes = { base64: Buffer.from([0xff, 0, 0xfe]).toString('base64') };
      const secrets = {
        bytes,
        text: 'ü\n"\\',
        yes: 'no',
        '': 'none',
        'k: #': '\u0000\u2028',
        __proto__x: '~',
      };
      const { '': _, ...named } = secrets;
      await put(named);
      const { stdout } = await cs(['getall', '-f', format]);
      const other = await running.place();
      expect(await other.cs(['putall', '-'], { input: stdout })).toMatchObject({
        status: 0,
        stderr: '',
      });
      expect(await other.cs(['getall', '-f', format])).toEqual(ok(stdout));
      const raw = await other.raw(['get', '-n', 'bytes']);
      expect(raw.stdout).toEqual(Buffer.from([0xff, 0, 0xfe]));
      for (const text of ['csv', 'dotenv']) {
        expect(await other.cs(['getall', '-f', text])).toMatchObject({
          status: 2,
          stdout: '',
          stderr: expect.stringContaining('error: bytes: it is not UTF-8 text') as string,
        });
      }
    },
  );

  test('version 1 unless -v or -a says otherwise, and the comment of -c [compat 36] [compat 37]', async () => {
    await put({ a: '1' }, '-c', 'imported');
    await put({ a: '7' }, '-v', '7');
    await put({ a: '8' }, '-a');
    const versions = [1, 7, 8].map(
      (n) => `a -- version ${v(n)} -- comment ${n === 1 ? 'imported' : ''}\n`,
    );
    expect(await cs(['list'])).toEqual(ok(versions.join('')));
  });

  test.each([
    ['a value that is a number', '{"a": "x", "b": 5}', 'error: b: it is a number, without quotes'],
    ['a name that is there twice', '{"a": "x", "b": "y", "\\u0061": "z"}', 'has the name a twice'],
    ['an empty name', '{"a": "x", "": "y"}', 'the name of a secret cannot be empty'],
    [
      'a secret that is too large',
      JSON.stringify({ a: 'x', b: 'y'.repeat(500_000) }),
      'b is too large',
    ],
    ['no JSON', '{"a": "x", "b": }', 'is not valid JSON'],
    ['an array', '["a"]', 'neither a JSON object nor a YAML mapping'],
    ['nothing', '', 'is empty'],
    ['bytes', Buffer.from([0xff]), 'is not UTF-8'],
  ])('%s is told before anything is stored [compat 38]', async (_, input, why) => {
    const refused = await cs(['putall', '-'], { input });
    expect(refused).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(why) as string,
    });
    expect(recorder.requests).toEqual([]);
  });

  test.each([
    ['-d', 'MD5'],
    ['-v', 'x'.repeat(1025)],
    ['--cipher', 'none'],
    ['no pair'],
    ['credstash:name=x'],
  ])('%s %s is told before anything is stored [compat 38]', async (...args) => {
    expect(await cs(['putall', '{"a": "x"}', ...args])).toMatchObject({ status: 2, stdout: '' });
    expect(recorder.requests).toEqual([]);
  });

  test('some fail: the others are stored, the status says so, and --skip-unchanged completes it [compat 39]', async () => {
    await cs(['put', 'b', 'theirs']);
    recorder.requests.length = 0;
    const all = '{"a": "1", "b": "2", "c": "3"}';
    expect(await cs(['putall', all])).toEqual({
      status: 4,
      stdout: said('a', 'c'),
      stderr: [
        `error: 1 of 3 secrets have not been stored in ${place.where}`,
        `error: b: version ${v(1)} of b is already in ${place.where}`,
        'hint: run it again with --skip-unchanged to store only the missing ones',
        '',
      ]
        .join('\n')
        .replace(/^(?=.)/gm, 'credstash: '),
    });
    await cs(['delete', 'b']);
    const { stdout } = await cs(['putall', all, '--skip-unchanged']);
    expect(stdout).toBe('a is unchanged\nb has been stored\nc is unchanged\n');
    const before = await place.items();
    expect(await cs(['putall', all, '--skip-unchanged', '-a'])).toEqual(
      ok('a is unchanged\nb is unchanged\nc is unchanged\n'),
    );
    expect(await place.items()).toEqual(before);
    // Where the value is another, it is a put as ever.
    expect(await cs(['putall', '{"a": "new"}', '--skip-unchanged'])).toMatchObject({ status: 4 });
    expect(await cs(['putall', '{"a": "new"}', '--skip-unchanged', '-a'])).toEqual(ok(said('a')));
    expect(await cs(['putall', '{"a": "1"}', '--skip-unchanged', '-v', '1'])).toEqual(
      ok('a is unchanged\n'),
    );
  });

  test('a stdout that is full stops nothing, and is told at the end [compat 39]', async () => {
    const all = JSON.stringify(
      Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`n${i}`, 'x'])),
    );
    const ended = await shell(place, `credstash putall '${all}' > /dev/full`);
    expect(ended.status).toBe(1);
    expect(ended.stderr).toBe(
      'credstash: error: stdout cannot be written (ENOSPC)\n' +
        'credstash: hint: the disk is full: free space, or write to another disk\n',
    );
    expect(await place.items()).toHaveLength(60);
  });

  test('an error that all would meet ends it, and what was not tried is listed [compat 39]', async () => {
    const all = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`n${i}`, 'x']));
    let puts = 0;
    recorder.meddle = (action) => {
      if (action !== 'DynamoDB.PutItem') return Promise.resolve(undefined);
      puts += 1;
      return Promise.resolve(puts > 10 ? awsError('ExpiredTokenException') : undefined);
    };
    const input = JSON.stringify(all);
    const { status, stdout, stderr } = await cs(['putall', '-'], { input });
    expect(status).toBe(6);
    expect(stdout.split('\n')).toHaveLength(11);
    expect(stderr).toMatch(/^credstash: error: 90 of 100 secrets have not been stored/);
    expect(stderr.match(/^credstash: error: n\d+: /gm)).toHaveLength(90);
    expect(stderr.match(/: was not tried$/gm)?.length).toBeGreaterThan(50);
    expect(puts).toBeLessThan(50);
    expect(stderr).toMatch(
      /: error: n\d+: DynamoDB refused the AWS credentials: they have expired$/m,
    );

    // Nor would another key be found for the next secret.
    recorder.requests.length = 0;
    const noKey = await cs(['putall', '-', '-k', 'alias/none'], { input });
    expect(noKey).toMatchObject({ status: 6, stdout: '' });
    expect(noKey.stderr.match(/^credstash: error: n\d+: /gm)).toHaveLength(100);
    expect(recorder.requests.length).toBeLessThan(20);
    recorder.meddle = undefined;
    const again = await cs(['putall', '-', '--skip-unchanged'], { input });
    expect(again.stdout.match(/is unchanged/g)).toHaveLength(10);
    expect(again.stdout.match(/has been stored/g)).toHaveLength(90);
    expect(await place.items()).toHaveLength(100);
  });
});

describe('setup', () => {
  test('--tags are the tags of the new table, beside Name=credstash [compat 42]', async () => {
    const fresh = running.absent();
    const [, table = ''] = fresh.args;
    const there = awsPlace(recorder.url, recorder.url, table, runHere);
    expect(await there.cs(['setup', '--tags', 'Team=ops', 'Cost=a=b'])).toEqual(
      ok(
        'Creating table...\nWaiting for table to be created...\nAdding tags...\n' +
          'Table has been created. Go read the README about how to create your KMS key\n',
      ),
    );
    // Neither dynalite nor DynamoDB Local keeps the tags of a new table: what was asked for has to do.
    const create = recorder.requests.find(({ action }) => action === 'DynamoDB.CreateTable');
    expect(JSON.parse(create?.sent ?? '')).toMatchObject({
      BillingMode: 'PAY_PER_REQUEST',
      Tags: [
        { Key: 'Name', Value: 'credstash' },
        { Key: 'Team', Value: 'ops' },
        { Key: 'Cost', Value: 'a=b' },
      ],
    });
  });

  test('of a table that is there, the tags stay as they are, and it is told [compat 42]', async () => {
    expect(await cs(['setup', '--tags', 'Team=ops'])).toEqual({
      status: 0,
      stdout: 'Credential Store table already exists\n',
      stderr: `credstash: warning: the tags of ${place.where} are left as they are\n`,
    });
    expect(await cs(['setup', '--tags'])).toEqual(ok('Credential Store table already exists\n'));
    for (const tag of ['Team', '=x', 'Team=']) {
      expect(await cs(['setup', '--tags', tag])).toMatchObject({ status: 2, stdout: '' });
    }
  });

  test('--save-kms-region keeps what else is in ~/.credstash, and is what the next put uses [compat 43]', async () => {
    const home = file('home');
    mkdirSync(home);
    const options = { env: { HOME: home } };
    const config = join(home, '.credstash');
    const setup = (region: string): Promise<Ended> =>
      cs(['setup', '--save-kms-region', region], options);
    const done = (region: string): Ended =>
      ok(`KMS region set to ${region}\nCredential Store table already exists\n`);
    expect(await setup('eu-west-1')).toEqual(done('eu-west-1'));
    expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual({ 'kms-region': 'eu-west-1' });
    expect(statSync(config).mode & 0o777).toBe(0o600);
    writeFileSync(config, '{"cipher": "AES-256-CTR", "theirs": [1], "kms-region": "x"}');
    expect(await setup('eu-west-2')).toEqual(done('eu-west-2'));
    expect(JSON.parse(readFileSync(config, 'utf8'))).toEqual({
      cipher: 'AES-256-CTR',
      theirs: [1],
      'kms-region': 'eu-west-2',
    });
    recorder.requests.length = 0;
    expect(await cs(['put', 'n', 'v'], options)).toEqual(stored('n'));
    const regions = recorder.requests.map(({ action, region }) => `${action} ${region ?? ''}`);
    expect(regions).toEqual(['KMS.GenerateDataKey eu-west-2', 'DynamoDB.PutItem us-east-1']);

    // A link, as those who keep such files in a repository have it, stays one.
    const elsewhere = file('dotfile');
    writeFileSync(elsewhere, '{}');
    const linked = file('linked');
    mkdirSync(linked);
    symlinkSync(elsewhere, join(linked, '.credstash'));
    await cs(['setup', '--save-kms-region', 'eu-west-3'], { env: { HOME: linked } });
    expect(JSON.parse(readFileSync(elsewhere, 'utf8'))).toEqual({ 'kms-region': 'eu-west-3' });

    // What cannot be is refused, and nothing is lost or created.
    writeFileSync(config, 'no JSON');
    recorder.requests.length = 0;
    expect(await setup('eu-west-1')).toMatchObject({ status: 2, stdout: '' });
    expect(readFileSync(config, 'utf8')).toBe('no JSON');
    writeFileSync(config, '{}');
    expect(await setup('Not A Region')).toMatchObject({ status: 2, stdout: '' });
    expect(readFileSync(config, 'utf8')).toBe('{}');
    expect(recorder.requests).toEqual([]);
  });
});

describe('entries', () => {
  test.each([
    ['--cipher', ['--cipher', 'AES-256-CTR'], {}, ''],
    ['CREDSTASH_CIPHER', [], { CREDSTASH_CIPHER: 'AES-256-CTR' }, ''],
    ['cipher in ~/.credstash', [], {}, '{"cipher": "AES-256-CTR"}'],
  ])('%s writes what 1.17.1 reads, put and putall [compat 46]', async (_, args, env, config) => {
    const home = file('cipher');
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, '.credstash'), config || '{}');
    const options = { env: { ...env, HOME: home } };
    expect(await cs(['put', 'one', 'value', '-c', 'c', ...args], options)).toEqual(stored('one'));
    expect(await cs(['putall', '{"two": "value"}', ...args], options)).toEqual(stored('two'));
    const items = await place.items();
    // The attributes, and their types, of the entries that 1.17.1 wrote.
    const types = (item: object): Record<string, string> =>
      Object.fromEntries(
        Object.entries(item).map(([name, value]) => [name, Object.keys(value as object).join()]),
      );
    const original = vectors.items.find(({ item }) => 'comment' in item)?.item ?? {};
    const { comment: __, ...bare } = types(original);
    expect(items.map(types)).toEqual(
      items.map((item) => ('comment' in item ? types(original) : bare)),
    );
    for (const { key, contents, hmac } of items) {
      expect(key).toEqual({ S: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) as string });
      expect(contents).toEqual({ S: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) as string });
      expect(hmac && 'B' in hmac && Buffer.from(hmac.B).toString()).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(await cs(['getall', '-f', 'csv'], options)).toEqual(ok('one,value\ntwo,value\n\n'));
    // The option comes before the environment, the environment before the file.
    expect(await cs(['put', 'three', 'x', '--cipher', 'AES-256-GCM'], options)).toEqual(
      stored('three'),
    );
    expect((await place.items()).filter((item) => 'cipher' in item)).toHaveLength(1);
  });

  test('every entry of 1.17.1 opens byte for byte, in a getall, and as Python 2 and other ports wrote it [compat 47]', async () => {
    const contexts = new Map<string, string[]>();
    // Most entries have no context. In a table of their own they are read once, and not for each context.
    const withContext = await running.place();
    const placeOf = (pairs: readonly string[]): Place => (pairs.length === 0 ? place : withContext);
    const newest = new Map<string, { version: string; secret: string; context: string }>();
    for (const { item, context, dataKey, secret } of vectors.items) {
      running.kms?.importDataKey(
        Buffer.from(item.key.S, 'base64'),
        context,
        Buffer.from(dataKey, 'base64'),
      );
      const pairs = Object.entries(context).map(([key, value]) => `${key}=${value}`);
      const id = pairs.join(' ');
      contexts.set(id, pairs);
      const hmac = Buffer.from(item.hmac.B, 'base64').toString();
      const { digest, ...rest } = item;
      const [name, version] = [item.name.S, item.version.S];
      for (const [as, written] of [
        [name, item],
        // Python 2, and the ports in Go and other languages: the hmac as a text.
        [`text:${name}`, { ...item, hmac: { S: hmac } }],
        // Before 2016: no digest.
        ...(digest.S === 'SHA256'
          ? [[`bare:${name}`, { ...rest, hmac: { S: hmac } }] as const]
          : []),
      ] as const) {
        await placeOf(pairs).plant({ ...written, name: { S: as } } as unknown as Parameters<
          Place['plant']
        >[0]);
        const before = newest.get(as);
        if (!before || before.version < version) newest.set(as, { version, secret, context: id });
      }
    }
    for (const [id, pairs] of contexts) {
      const { status, stdout } = await placeOf(pairs).cs([
        'getall',
        '--skip-undecryptable',
        ...pairs,
      ]);
      expect(status).toBe(0);
      const expected = [...newest].filter(([, { context }]) => context === id);
      expect(JSON.parse(stdout)).toEqual(
        Object.fromEntries(expected.map(([name, { secret }]) => [name, secret])),
      );
    }
    expect(newest.size).toBeGreaterThan(60);
  });

  test.each([[['env=prod', 'ENV=test']], [['Credstash:Name=x']]])(
    'an entry under %j, which IAM takes for other keys, opens, and nothing new is sealed under them [compat 13]',
    async (pairs) => {
      const [vector] = vectors.items;
      if (!vector) expect.unreachable();
      const context = Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string]));
      const wrapped = Buffer.from(vector.item.key.S, 'base64');
      running.kms?.importDataKey(wrapped, context, Buffer.from(vector.dataKey, 'base64'));
      const item = { ...vector.item, name: { S: 'old' } };
      await place.plant(item as unknown as Parameters<Place['plant']>[0]);
      const { secret } = vector;
      expect(await cs(['get', 'old', ...pairs])).toEqual(ok(`${secret}\n`));
      expect(await cs(['get', 'o*', ...pairs, '-f', 'csv'])).toEqual(ok(`old,${secret}\n`));
      expect(await cs(['getall', ...pairs, '-f', 'csv'])).toEqual(ok(`old,${secret}\n\n`));
      const input = '{{credstash://old}}';
      expect(await cs(['render', '-', ...pairs], { input })).toEqual(ok(secret));
      const reference = `credstash://old?${pairs.join('&')}`;
      expect(await cs(['exec', '--env', `A=${reference}`, '--', 'sh', '-c', 'echo "$A"'])).toEqual(
        ok(`${secret}\n`),
      );
      const copied = await cs(['copy', `--to-local=${file(`copy-${pairs.length}`)}`, ...pairs]);
      expect(copied).toMatchObject({ status: 0 });

      recorder.requests.length = 0;
      for (const args of [
        ['put', 'new', 'x'],
        ['put', 'new', 'x', '--cipher', 'AES-256-CTR'],
        ['putall', '{"new": "x"}'],
        ['rollback', 'old'],
        ['migrate'],
        ['doctor'],
      ]) {
        const refused = await cs([...args, ...pairs]);
        expect(refused, args.join(' ')).toMatchObject({ status: 2, stdout: '' });
        expect(refused.stderr).toMatch(/is reserved\n|env and ENV differ only in case\n/);
      }
      expect(recorder.requests).toEqual([]);
    },
  );

  test('what is printed of a table of 1.17.1 is what 1.17.1 prints [compat 25] [compat 27] [compat 33]', async () => {
    // Without `large`, as test/golden/make.py has it.
    for (const { item, context, dataKey } of vectors.items) {
      if (item.name.S === 'large') continue;
      await place.plant(item as unknown as Parameters<Place['plant']>[0]);
      const wrapped = Buffer.from(item.key.S, 'base64');
      running.kms?.importDataKey(wrapped, context, Buffer.from(dataKey, 'base64'));
    }
    const golden = (name: string): string =>
      readFileSync(join(import.meta.dirname, '../golden', name), 'utf8');
    const skip = '--skip-undecryptable';
    expect((await cs(['getall', skip])).stdout).toBe(golden('getall.json'));
    expect((await cs(['getall', skip, '-f', 'csv'])).stdout).toBe(golden('getall.csv'));
    expect(await cs(['list'])).toEqual(ok(golden('list.txt')));
    expect(await cs(['keys'])).toEqual(ok(golden('keys.txt')));
  });
});

describe('a table that is throttled', () => {
  test('is waited for [compat 48]', async () => {
    await put({ a: 'x' });
    let left = 4;
    recorder.meddle = (action) =>
      Promise.resolve(
        action.startsWith('DynamoDB') && left-- > 0
          ? awsError('ProvisionedThroughputExceededException')
          : undefined,
      );
    // --quiet, because a wait of over 5 seconds is told on stderr.
    expect(await cs(['getall', '-f', 'csv', '--quiet'])).toEqual(ok('a,x\n\n'));
    left = 4;
    expect(await cs(['put', 'b', 'y', '--quiet'])).toEqual(stored('b'));
    expect(left).toBeLessThan(0);
  });

  test('is told on a terminal, on a line that is gone afterwards [compat 48]', async () => {
    await put({ a: 'x' });
    let left = 4;
    recorder.meddle = () =>
      Promise.resolve(left-- > 0 ? awsError('ProvisionedThroughputExceededException') : undefined);
    const terminal = pty([...place.args, 'get', 'a'], { env: place.env });
    await terminal.waitFor(
      RegExp(`the table ${place.args[1] ?? ''} is throttled: \\d+ s, at most 9 min \\d+ s more`),
    );
    const { status, output } = await terminal.done;
    expect(status).toBe(0);
    expect(output.endsWith('\r\u001b[Kx\r\n')).toBe(true);
  });
});
