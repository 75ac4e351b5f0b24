import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tableKeys } from '../support/dynamo.ts';
import { testCredential } from '../support/sigv4.ts';
import {
  asText,
  backends,
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
  });
  afterAll(async () => {
    await running.close();
  });

  describe('setup', () => {
    test('creates what is not there, and leaves alone what is', async () => {
      const fresh = running.absent();
      const subject = fresh.where.replace('the', 'The');
      const [created, exists] = running.kms
        ? [
            'Creating table...\nWaiting for table to be created...\nAdding tags...\n' +
              'Table has been created. Go read the README about how to create your KMS key\n',
            'Credential Store table already exists\n',
          ]
        : [`${subject} has been created\n`, `${subject} already exists\n`];
      expect(await fresh.cs(['setup'])).toEqual(ok(created));
      expect(await fresh.cs(['put', 'a', 'kept'])).toEqual(stored('a'));
      expect(await fresh.cs(['setup'])).toEqual(ok(exists));
      expect(await fresh.cs(['get', 'a'])).toEqual(ok('kept\n'));

      if (running.dynamo === undefined) {
        const path = fresh.where.replace('the vault ', '');
        expect(statSync(path).mode & 0o777).toBe(0o700);
        for (const each of readdirSync(path)) {
          expect(statSync(join(path, each)).mode & 0o777).toBe(0o600);
        }
        expect(readFileSync(join(path, 'master.key'))).toHaveLength(32);
      } else {
        const client = new DynamoDBClient({
          endpoint: running.dynamo,
          region: 'us-east-1',
          credentials: testCredential,
        });
        const { Table } = await client.send(new DescribeTableCommand({ TableName: fresh.args[1] }));
        client.destroy();
        expect(Table).toMatchObject({
          TableStatus: 'ACTIVE',
          ...tableKeys,
          BillingModeSummary: { BillingMode: 'PAY_PER_REQUEST' },
        });
      }
    });

    test('what was never set up: reading is exit 3 and says how to create it', async () => {
      const absent = running.absent();
      for (const args of [
        ['get', 'a'],
        ['get', 'a', '-v', '1'],
        ['get', 'a', '--default', 'x'],
        ['get', 'a*'],
        ['getall'],
        ['list'],
        ['keys'],
        ['delete', 'a'],
        ['delete', 'a', '-v', '1'],
      ]) {
        expect(await absent.cs(args), args.join(' ')).toEqual(failed(3, 'there is no', 'setup'));
      }
    });
  });

  describe('put', () => {
    test('-c, -d and --cipher show in the listing, and the secret opens', async () => {
      const cases: [string, string[], Record<string, string>, object][] = [
        ['o.plain', [], {}, { cipher: 'AES-256-GCM', digest: 'SHA256' }],
        ['o.comment', ['-c', 'of Tuesday'], {}, { comment: 'of Tuesday' }],
        ['o.384', ['-d', 'SHA384'], {}, { cipher: 'AES-256-GCM', digest: 'SHA384' }],
        ['o.512', ['--digest', 'SHA512'], {}, { cipher: 'AES-256-GCM', digest: 'SHA512' }],
        ['o.ctr', ['--cipher', 'AES-256-CTR'], {}, { cipher: 'AES-256-CTR' }],
        ['o.env', [], { CREDSTASH_CIPHER: 'AES-256-CTR' }, { cipher: 'AES-256-CTR' }],
        [
          'o.both',
          ['--cipher', 'AES-256-GCM', '--comment', 'ü', '-d', 'SHA512'],
          { CREDSTASH_CIPHER: 'AES-256-CTR' },
          { cipher: 'AES-256-GCM', digest: 'SHA512', comment: 'ü' },
        ],
      ];
      for (const [name, options, env, shown] of cases) {
        expect(await cs(['put', name, 'secret', ...options], { env })).toEqual(stored(name));
        const [row] = JSON.parse((await cs(['list', name, '--json'])).stdout) as object[];
        expect(row).toMatchObject({ name, version: v(1), ...shown });
        expect(await cs(['get', name])).toEqual(ok('secret\n'));
      }
    });

    test('a refused put leaves every stored item as it was, byte for byte [compat 21]', async () => {
      expect(await cs(['put', 'once', 'first'])).toEqual(stored('once'));
      expect(await cs(['put', 'dated', 'x', '-v', '2026-11-23'])).toEqual(stored('dated'));
      const before = await place.items();
      const exists = `version ${v(1)} of once is already in ${place.where}`;
      for (const version of [[], ['-v', '1'], ['-v', '001'], ['-v', v(1)]]) {
        const put = ['put', 'once', 'second', ...version];
        expect(await cs(put), put.join(' ')).toEqual(failed(4, exists, / -a /));
      }
      const noNumber = /from version 0*2026-11-23 of dated: it is not a number/;
      expect(await cs(['put', 'dated', 'y', '-a'])).toEqual(failed(2, noNumber, / -v/));
      expect(await place.items()).toEqual(before);
    });

    test('bad input is exit 2, stores nothing and asks nothing of KMS', async () => {
      const before = await place.items();
      const asked = running.kms?.requests.length;
      const cases: [string[], ...RegExp[]][] = [
        [['put', '', 'x'], /name of a secret cannot be empty/],
        [['put', 'n'.repeat(2049), 'x'], /2048 bytes long, this one has 2049/],
        [['put', 'bad', 'x', '-d', 'MD5'], /SHA256, SHA384, SHA512/],
        [['put', 'bad', 'x', '-d', 'SHA'], /SHA256, SHA384, SHA512/],
        [['put', 'bad', 'x', '-d', 'sha256'], /did you mean SHA256/],
        [['put', 'bad', 'x', '--cipher', 'ROT13'], /AES-256-GCM and AES-256-CTR/],
        [['put', 'bad', 'x', '-v', '1'.repeat(1025)], /1024 bytes long, this one has 1025/],
        [['put', 'bad', 'x', 'word'], /argument 1 of the encryption context.*KEY=VALUE/],
        [['put', 'bad', 'x', 'a=b', '=value'], /argument 2 of the encryption context/],
        [['put', 'bad', 'x', 'key='], /argument 1 of the encryption context/],
        [['put', 'bad', 'x', 'credstash:name=x'], /credstash:name is reserved/],
        [['put', 'bad', 'x', `k=${'v'.repeat(8200)}`], /8192 bytes/],
        [['put', 'bad', '@/nonexistent/file'], /\(ENOENT\)/, /--literal/],
        [['put', 'bad', `@${folder}`], /\(EISDIR\)/],
        [['put', 'bad', '-x'], /does not know/, /put -- before a value/],
        [['put', 'bad', 'x', '--log-level', 'loud'], /log level is one of/],
        [['put'], /missing NAME/],
      ];
      for (const [args, ...said] of cases) {
        expect(await cs(args), args.join(' ').slice(0, 80)).toEqual(failed(2, ...said));
      }
      expect(await place.items()).toEqual(before);
      expect(running.kms?.requests.length).toBe(asked);
    });

    test('-k names the master key on AWS, and means nothing to a vault', async () => {
      if (!running.kms) {
        const why = failed(2, '-k is for AWS, and --local chooses the local vault');
        expect(await cs(['put', 'keyed', 'x', '-k', 'alias/other'])).toEqual(why);
        return;
      }
      const arn = running.kms.addKey('alias/other');
      for (const key of ['alias/other', arn, arn.split('/')[1] ?? '']) {
        expect(await cs(['put', 'keyed', key, '-k', key, '-a'])).toEqual(stored('keyed'));
        const request = running.kms.requests.at(-1);
        expect(request).toMatchObject({ action: 'GenerateDataKey', body: { KeyId: key } });
        expect(await cs(['get', 'keyed'])).toEqual(ok(`${key}\n`));
      }
      expect(await cs(['put', 'unkeyed', 'x'])).toEqual(stored('unkeyed'));
      expect(running.kms.requests.at(-1)?.body).toMatchObject({ KeyId: 'alias/credstash' });
    });
  });

  describe('get', () => {
    beforeAll(async () => {
      await cs(['put', 'thing', 'old', '-v', '3']);
      await cs(['put', 'thing', 'new', '-v', '4']);
    });

    test('the newest version, or the one that -v says, padded or not [compat 22]', async () => {
      expect(await cs(['get', 'thing'])).toEqual(ok('new\n'));
      for (const version of ['3', '03', v(3)]) {
        expect(await cs(['get', 'thing', '-v', version])).toEqual(ok('old\n'));
        expect(await cs(['get', '--version', version, 'thing'])).toEqual(ok('old\n'));
      }
    });

    test('-v 3 finds the unpadded 3 of before 2015, and delete does [compat 23]', async () => {
      await cs(['put', 'ancient', 'unpadded', '--cipher', 'AES-256-CTR']);
      const item = (await place.items()).find(
        ({ name }) => name && 'S' in name && name.S === 'ancient',
      );
      await place.plant({ ...item, version: { S: '3' } });
      expect(await cs(['get', 'ancient', '-v', '3'])).toEqual(ok('unpadded\n'));
      expect(await cs(['get', 'ancient', '-v', v(3)])).toEqual(failed(3, 'no version'));
      expect(await cs(['delete', 'ancient', '-v', '3'])).toEqual(
        ok('Deleting ancient -- version 3\n'),
      );
      expect(await cs(['list', 'ancient'])).toEqual(ok(`ancient -- version ${v(1)} -- comment \n`));
    });

    test('-n after get leaves the newline out; before it, it is the ARN of a role [compat 5] [compat 22]', async () => {
      expect(await cs(['get', '-n', 'thing'])).toEqual(ok('new'));
      expect(await cs(['get', 'thing', '--noline', '-v', '3'])).toEqual(ok('old'));
      if (!running.kms) {
        expect(await cs(['-n', 'get', 'get', 'thing'])).toEqual(failed(2, '-n is for AWS'));
      }
    });

    test('-o writes exactly the bytes to a file of mode 0600, and nothing to stdout', async () => {
      const output = file('output');
      writeFileSync(output, 'a longer text that stood there before');
      chmodSync(output, 0o644);
      expect(await cs(['get', 'thing', '-o', output])).toEqual(ok(''));
      expect(readFileSync(output, 'utf8')).toBe('new');
      expect(statSync(output).mode & 0o777).toBe(0o600);
      expect(await cs(['get', 'thing', '-v', '3', '--output', file('fresh')])).toEqual(ok(''));
      expect(readFileSync(file('fresh'), 'utf8')).toBe('old');
      expect(statSync(file('fresh')).mode & 0o777).toBe(0o600);
      expect(await cs(['get', 'nothing', '-o', output, '--default', 'dflt'])).toEqual(ok(''));
      expect(readFileSync(output, 'utf8')).toBe('dflt');
    });

    test('-o leaves nothing behind on a failure, and what stood there as it was', async () => {
      const there = file('folder');
      await mkdir(there);
      writeFileSync(join(there, 'kept'), 'kept');
      await symlink('/dev/null', join(there, 'link'));
      for (const name of ['kept', 'new']) {
        const output = join(there, name);
        expect(await cs(['get', 'nothing', '-o', output])).toEqual(failed(3, 'nothing'));
        expect(await cs(['get', 'thing', '-v', '9', '-o', output])).toEqual(failed(3, 'version 9'));
      }
      const asked = running.kms?.requests.length;
      const refused = failed(2, 'is not a plain file');
      expect(await cs(['get', 'thing', '-o', there])).toEqual(refused);
      expect(await cs(['get', 'thing', '-o', join(there, 'link')])).toEqual(refused);
      const unnamed = failed(2, 'the name of the output file is empty');
      expect(await cs(['get', 'thing', '-o', ''])).toEqual(unnamed);
      expect(running.kms?.requests.length).toBe(asked);
      const nowhere = join(there, 'none', 'file');
      expect(await cs(['get', 'thing', '-o', nowhere])).toEqual(failed(2, '(ENOENT)'));
      expect(readdirSync(there).sort()).toEqual(['kept', 'link']);
      expect(readFileSync(join(there, 'kept'), 'utf8')).toBe('kept');
    });
  });

  describe('encryption context', () => {
    test('KEY=VALUE splits at the first = [compat 13]', async () => {
      expect(await cs(['put', 'url', 'x', 'query=a=b=', 'ü=ö'])).toEqual(stored('url'));
      if (running.kms) {
        expect(running.kms.requests.at(-1)?.body).toMatchObject({
          EncryptionContext: { query: 'a=b=', ü: 'ö', 'credstash:name': 'url' },
        });
      }
      expect(await cs(['get', 'url', 'ü=ö', 'query=a=b='])).toEqual(ok('x\n'));
      expect(await cs(['get', 'url', 'ü=ö', 'query=a=b'])).toEqual(failed(6, 'has ü, query'));
    });

    test('get refuses what is no pair', async () => {
      for (const pair of ['word', '=value', 'key=', '=', '', 'credstash:x=y']) {
        expect(await cs(['get', 'url', pair]), pair).toEqual(failed(2, 'encryption context'));
      }
    });
  });

  describe('list', () => {
    let few: Place;
    beforeAll(async () => {
      few = await running.place();
    });

    test('control characters of names and comments never reach the terminal [compat 32]', async () => {
      const name = 'esc\u001b[31m\u202ename';
      expect(await few.cs(['put', name, 'x', '-c', 'two\nlines\u0007'])).toEqual(
        stored('esc\\u001b[31m\\u202ename'),
      );
      expect(await few.cs(['list', 'esc*'])).toEqual(
        ok(`esc\\u001b[31m\\u202ename -- version ${v(1)} -- comment two\\u000alines\\u0007\n`),
      );
      const { stdout } = await few.cs(['list', 'esc*', '--json']);
      for (const each of ['\u001b', '\u202e', '\u0007']) expect(stdout).not.toContain(each);
      expect(JSON.parse(stdout)).toMatchObject([{ name, comment: 'two\nlines\u0007' }]);
      expect(await few.cs(['get', 'no\u001b[31m'])).toEqual(failed(3, 'no\\u001b[31m'));
      expect(await few.cs(['delete', name])).toEqual(
        ok(`Deleting esc\\u001b[31m\\u202ename -- version ${v(1)}\n`),
      );
    });
  });

  describe('several secrets', () => {
    /** More than DynamoDB takes or gives in one request of many items, and than the command asks for at once. */
    const COUNT = 120;
    const many = Object.fromEntries(
      Array.from({ length: COUNT }, (_, i) => [`many.${String(i).padStart(3, '0')}`, `value ${i}`]),
    );
    const all = JSON.stringify(many);

    test('are stored in their order, got back whole, and left alone when they are unchanged', async () => {
      const { cs, items } = await running.place();
      const names = Object.keys(many);
      const lines = (what: string): string => names.map((name) => `${name} ${what}\n`).join('');
      expect(await cs(['putall', '-'], { input: all })).toEqual(ok(lines('has been stored')));
      expect(await cs(['getall'])).toEqual(ok(`${JSON.stringify(many, null, 4)}\n`));
      expect(await cs(['keys'])).toEqual(ok(names.map((name) => `${name}\n`).join('')));
      expect(JSON.parse((await cs(['get', 'many.01*'])).stdout)).toEqual(
        Object.fromEntries(Object.entries(many).filter(([name]) => name.startsWith('many.01'))),
      );
      const again = await cs(['putall', '-', '-a', '--skip-unchanged'], { input: all });
      expect(again).toEqual(ok(lines('is unchanged')));
      expect(await items()).toHaveLength(COUNT);
    });

    test('two putalls at once: each version is stored by one of them, and the other one says so', async () => {
      const { cs, items } = await running.place();
      const both = await Promise.all([1, 2].map(() => cs(['putall', '-'], { input: all })));
      const stored = both.map(({ stdout }) => stdout.match(/has been stored/g)?.length ?? 0);
      const failures = both.map(({ stderr }) => stderr.match(/is already in/g)?.length ?? 0);
      expect(stored[0]).toBe(COUNT - (failures[0] ?? 0));
      expect(stored[1]).toBe(COUNT - (failures[1] ?? 0));
      expect((stored[0] ?? 0) + (stored[1] ?? 0)).toBe(COUNT);
      for (const [i, { status }] of both.entries()) expect(status).toBe(failures[i] === 0 ? 0 : 4);
      expect(await items()).toHaveLength(COUNT);
    });

    test('four put --generate --if-missing at once store one version, and all succeed', async () => {
      const { cs, items } = await running.place();
      const line = ['put', 'made.once', '--generate', '--if-missing', '--json'];
      const all = await Promise.all(Array.from({ length: 4 }, () => cs(line)));
      for (const ended of all) expect(ended).toMatchObject({ status: 0, stderr: '' });
      const told = all.map(({ stdout }) => JSON.parse(stdout) as { stored: boolean });
      expect(told.filter(({ stored }) => stored)).toHaveLength(1);
      expect(await items()).toHaveLength(1);
    });

    test('of 399,000 bytes each, over many pages', async () => {
      const { cs } = await running.place();
      const large = Object.fromEntries(
        Array.from({ length: 12 }, (_, i) => [`large.${i}`, String(i % 10).repeat(399_000)]),
      );
      const options = { input: JSON.stringify(large) };
      expect((await cs(['putall', '-'], options)).status).toBe(0);
      expect(JSON.parse((await cs(['getall'])).stdout)).toEqual(large);
    });

    test('of one that is broken, the others are listed and got', async () => {
      const { cs, plant } = await running.place();
      await cs(['putall', '{"good": "x", "bad": "y"}']);
      const broken = { name: { S: 'bad' }, version: { S: v(2) }, cipher: { S: 'ROT13' } };
      if (running.kms) await plant(broken);
      else await cs(['put', 'bad', 'y', '-a', 'other=context']);
      expect(await cs(['keys'])).toEqual(ok('bad\ngood\n'));
      expect(await cs(['get', 'good*', '-f', 'csv'])).toEqual(ok('good,x\n'));
      const { status, stdout, stderr } = await cs(['getall', '-f', 'csv']);
      expect({ status, stdout }).toEqual({ status: running.kms ? 5 : 6, stdout: '' });
      expect(stderr).toContain('error: bad: version');
      // An older version is not what was asked for: it is left out all the same.
      const rest = await cs(['getall', '-f', 'csv', '--skip-undecryptable']);
      expect(rest).toMatchObject({ status: 0, stdout: 'good,x\n\n' });
    });
  });

  test('global options stand before or after the command, and the nearer one wins [compat 1]', async () => {
    const other = await running.place();
    await other.cs(['put', 'where', 'other']);
    await cs(['put', 'where', 'first']);
    const { args: here, env } = place;
    const { args: there } = other;
    const at = async (...args: string[]): Promise<Ended> => asText(await runHere(args, { env }));
    expect(await at(...there, 'get', 'where')).toEqual(ok('other\n'));
    expect(await at('get', ...there, 'where')).toEqual(ok('other\n'));
    expect(await at('get', 'where', ...there)).toEqual(ok('other\n'));
    expect(await at(...here, 'get', 'where', ...there)).toEqual(ok('other\n'));
    expect(await at(...there, 'get', 'where', ...here)).toEqual(ok('first\n'));
    expect(await at('list', 'where', ...there, '--json')).toMatchObject({ status: 0 });
  });
});
