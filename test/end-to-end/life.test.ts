import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, dynamoLocalMissing } from '../support/dynamo.ts';
import type { KmsServer } from '../support/kms-server.ts';
import { awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { leftOn, pty, run } from '../support/run.ts';
import { fromJson, originals } from '../seal/vectors.ts';
import type { Item } from '../../src/model/item.ts';
import {
  asText,
  awsPlace,
  type Backend,
  dynamoLocal,
  type Ended,
  failed,
  ok,
  type Place,
  runHere,
  type Running,
  stored,
  vault,
  vaultPlace,
} from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

/*
 * What comes after the first put: versions and labels, old versions that go, other keys, formats and places. dynalite has
 * no transactions, by which labels move.
 */
const engines: readonly Backend[] = [
  vault,
  ...(dynamoLocalMissing() === undefined ? [dynamoLocal] : []),
];

function textOf(item: Item, attribute: string): string | undefined {
  const value = item[attribute];
  return value && 'S' in value ? value.S : undefined;
}

/** One item of a place, by its name and version. */
async function item({ items }: Place, name: string, version = 1): Promise<Item> {
  const found = (await items()).find(
    (each) => textOf(each, 'name') === name && textOf(each, 'version') === v(version),
  );
  if (!found) throw new Error(`there is no version ${version} of ${name}`);
  return found;
}

/** The same rows, whatever the columns' widths. */
const rows = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
const lines = (text: string): string[] => text.trimEnd().split('\n');

/** What a command printed that failed for some of many entries. */
function partly(status: number, stdout: string, ...said: RegExp[]): unknown {
  return {
    status,
    stdout,
    stderr: expect.toSatisfy(
      (text: string) => said.every((each) => each.test(text)),
      said.join(' and '),
    ) as unknown,
  };
}

describe.each(engines)('$name', ({ start }) => {
  let running: Running;
  let place: Place;
  let cs: Place['cs'];
  const folder = temporaryFolder();
  beforeAll(async () => {
    running = await start();
    place = await running.place();
    cs = place.cs;
  });
  afterAll(async () => {
    await running.close();
  });

  /** Stores versions 1, 2, … of a secret. */
  async function versions(of: Place, name: string, values: readonly string[]): Promise<void> {
    for (const value of values)
      expect(await of.cs(['put', '-a', name, value])).toEqual(stored(name));
  }

  describe('history', () => {
    test('tells every version, the newest first, as a table and as JSON', async () => {
      await versions(place, 'h', ['one', 'two']);
      expect(
        await cs(['put', '-a', 'h', 'three', '-c', 'the \x1b[31mlast\nof them', '-d', 'SHA512']),
      ).toEqual(stored('h'));
      await cs(['label', 'h', 'live', '-v', '2']);
      const { status, stdout } = await cs(['history', 'h']);
      expect(status).toBe(0);
      const [titles, ...versionRows] = rows(stdout);
      expect(titles).toEqual([
        'VERSION',
        'AGE',
        'CREATED',
        'CIPHER',
        'DIGEST',
        'LABELS',
        'COMMENT',
      ]);
      const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string;
      const age = expect.stringMatching(/^\dmin$/) as string;
      expect(versionRows).toEqual([
        ['3', age, time, 'AES-256-GCM', 'SHA512', '-', 'the \\u001b[31mlast\\u000aof them'],
        ['2', age, time, 'AES-256-GCM', 'SHA256', 'live'],
        ['1', age, time, 'AES-256-GCM', 'SHA256', '-'],
      ]);
      const json = JSON.parse((await cs(['history', 'h', '--json'])).stdout) as unknown[];
      expect(json).toMatchObject([
        { version: v(3), comment: 'the \x1b[31mlast\nof them' },
        { version: v(2), labels: ['live'] },
        { version: v(1) },
      ]);
    });

    test('of a secret that is not there is status 3', async () => {
      expect(await cs(['history', 'nobody'])).toEqual(failed(3, 'there is no secret nobody'));
    });
  });

  describe('rollback', () => {
    test('stores the value of the version before, or of any, as a new one', async () => {
      const binary = Buffer.of(0, 255, 10, 128);
      await cs(['put', 'r', '-', 'env=prod'], { input: binary });
      await cs(['put', '-a', 'r', 'two', 'env=prod']);
      await cs(['put', '-a', 'r', 'three', 'env=prod']);
      expect(await cs(['rollback', 'r', 'env=prod'])).toEqual(
        ok('r has been rolled back to version 2, as version 4\n'),
      );
      expect(await cs(['get', 'r', 'env=prod'])).toEqual(ok('two\n'));
      expect(await cs(['rollback', 'r', '-v', '1', 'env=prod'])).toEqual(
        ok('r has been rolled back to version 1, as version 5\n'),
      );
      expect((await place.raw(['get', '-n', 'r', 'env=prod'])).stdout).toEqual(binary);
      expect(rows((await cs(['history', 'r'])).stdout).map((row) => [row[0], row[6]])).toEqual([
        ['VERSION', 'COMMENT'],
        ['5', 'rollback to 1'],
        ['4', 'rollback to 2'],
        ['3', undefined],
        ['2', undefined],
        ['1', undefined],
      ]);
    });

    test('changes nothing where it cannot', async () => {
      await cs(['put', 'only', 'x', 'a=b']);
      expect(await cs(['rollback', 'only', 'a=b'])).toEqual(failed(3, 'only has only one version'));
      await cs(['put', '-a', 'only', 'y', 'a=b']);
      expect(await cs(['rollback', 'only'])).toMatchObject({ status: 6 });
      expect(await cs(['rollback', 'only', '-v', '7', 'a=b'])).toEqual(failed(3, 'no version 7'));
      expect(await cs(['rollback', 'nobody'])).toEqual(failed(3, 'there is no secret nobody'));
      expect(lines((await cs(['list', 'only'])).stdout)).toHaveLength(2);
    });

    test('seals as the older version is sealed, so that whoever reads that one reads this one', async () => {
      await cs(['put', 'o', 'one', '--cipher', 'AES-256-CTR', '-d', 'SHA384']);
      await cs(['put', '-a', 'o', 'two']);
      expect((await cs(['rollback', 'o'])).status).toBe(0);
      expect(rows((await cs(['history', 'o'])).stdout)[1]).toEqual([
        '3',
        '-',
        '-',
        'AES-256-CTR',
        'SHA384',
        '-',
        'rollback to 1',
      ]);
      expect((await cs(['rollback', 'o', '-v', '1', '--cipher', 'AES-256-GCM'])).status).toBe(0);
      expect(rows((await cs(['history', 'o'])).stdout)[1]).toMatchObject({
        3: 'AES-256-GCM',
        4: 'SHA384',
      });
      expect(await cs(['get', 'o'])).toEqual(ok('one\n'));
    });

    test('goes back from a newest version that does not open', async () => {
      await versions(place, 'torn', ['good', 'bad']);
      const found = await item(place, 'torn', 2);
      await place.plant({ ...found, comment: { S: 'changed' } });
      expect((await cs(['get', 'torn'])).status).toBe(5);
      expect(await cs(['rollback', 'torn'])).toEqual(
        ok('torn has been rolled back to version 1, as version 3\n'),
      );
      expect(await cs(['get', 'torn'])).toEqual(ok('good\n'));
    });
  });

  describe('rollback and labels', () => {
    const notes = (stderr: string): string[] => stderr.trimEnd().split('\n');

    test('without --label each label stays, which is told with the command that moves it', async () => {
      await versions(place, 'rl', ['one', 'two']);
      await cs(['label', 'rl', 'live']);
      await cs(['label', 'rl', 'old', '-v', '1']);
      const { status, stdout, stderr } = await cs(['rollback', 'rl']);
      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: 'rl has been rolled back to version 1, as version 3\n',
      });
      const [live, old, ...more] = notes(stderr);
      expect(live).toMatch(/^credstash: warning: live still points to version 2; to move it: /);
      expect(old).toMatch(/^credstash: warning: old still points to version 1; to move it: /);
      expect(more).toEqual([]);
      expect(await cs(['get', 'rl', '--label', 'live'])).toEqual(ok('two\n'));
      // The advice, followed.
      const [, advice = ''] = /to move it: credstash (.*)$/.exec(live ?? '') ?? [];
      const moved = await runHere(advice.split(' '), { env: place.env });
      expect(asText(moved)).toEqual(ok('live is version 3 of rl, and no more version 2\n'));
      expect(await cs(['get', 'rl', '--label', 'live'])).toEqual(ok('one\n'));
    });

    test('--label moves it to the new version, and a reader by it never finds none', async () => {
      await versions(place, 'rm', ['one', 'two']);
      await cs(['label', 'rm', 'live']);
      let isDone = false;
      const seen = new Set<string>();
      const read = async (): Promise<void> => {
        while (!isDone) {
          const got = asText(
            await run([...place.args, 'get', 'rm', '--label', 'live'], { env: place.env }),
          );
          expect(got).toMatchObject({ status: 0, stderr: '' });
          seen.add(got.stdout);
        }
      };
      const reading = read();
      expect(await cs(['rollback', 'rm', '--label', 'live'])).toEqual(
        ok(
          'rm has been rolled back to version 1, as version 3\n' +
            'live is version 3 of rm, and no more version 2\n',
        ),
      );
      isDone = true;
      await reading;
      for (const each of seen) expect(['one\n', 'two\n']).toContain(each);
      expect(await cs(['get', 'rm', '--label', 'live'])).toEqual(ok('one\n'));
      // One that no version has is set.
      expect(await cs(['rollback', 'rm', '-v', '2', '--label', 'new'])).toEqual(
        ok('rm has been rolled back to version 2, as version 4\nnew is version 4 of rm\n'),
      );
    });

    test('a label that can be none is told before anything is stored', async () => {
      await versions(place, 'rb', ['one', 'two']);
      expect(await cs(['rollback', 'rb', '--label', 'a b'])).toEqual(failed(2, 'a label has'));
      expect(await cs(['rollback', 'rb', '--label='])).toMatchObject({ status: 2 });
      expect(lines((await cs(['list', 'rb'])).stdout)).toHaveLength(2);
    });

    test('each way to release moves the label at once', async () => {
      const own = await running.place();
      await versions(own, 'db.password', ['old']);
      await own.cs(['label', 'db.password', 'live']);
      const live = async (): Promise<string> =>
        (await own.cs(['get', 'db.password', '--label', 'live'])).stdout;
      const after: string[] = [];
      for (const [i, line] of [
        'put -a db.password --json',
        'label db.password live -v 2',
        'put -a db.password --label live',
        'rollback db.password --label live',
      ].entries()) {
        const { status, stderr } = await own.cs(line.split(' '), { input: `value ${i}` });
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        after.push(await live());
      }
      expect(after).toEqual(['old\n', 'value 0\n', 'value 2\n', 'value 0\n']);
    });
  });

  describe('put --label and --json', () => {
    test.each([
      ['as version 1', ['one'], 1, 'one'],
      ['with -a', ['-a', 'two'], 2, 'two'],
      ['with -v', ['-v', '7', 'three'], 7, 'three'],
      ['of stdin', ['-a', '-'], 8, 'four'],
    ])('the label moves to the version that is stored, %s', async (_, args, version, value) => {
      const before = version === 1 ? undefined : (await cs(['history', 'pl', '--json'])).stdout;
      const old = before === undefined ? '' : `, and no more version ${newestOf(before)}`;
      expect(await cs(['put', 'pl', ...args, '--label', 'live'], { input: 'four' })).toEqual(
        ok(`pl has been stored\nlive is version ${version} of pl${old}\n`),
      );
      expect(await cs(['get', 'pl', '--label', 'live'])).toEqual(ok(`${value}\n`));
    });

    const newestOf = (history: string): number =>
      Number((JSON.parse(history) as { version: string }[])[0]?.version);

    test('--json is a line with the version as list --json has it', async () => {
      expect(await cs(['put', 'js', 'one', '--json'])).toEqual(
        ok(`{"name":"js","version":"${v(1)}"}\n`),
      );
      expect(await cs(['put', 'js', 'two', '-a', '--json', '--label', 'live'])).toEqual(
        ok(`{"name":"js","version":"${v(2)}","label":"live","before":[]}\n`),
      );
      expect(await cs(['label', 'js', 'live', '-v', '1', '--json'])).toEqual(
        ok(`{"name":"js","version":"${v(1)}","label":"live","before":["${v(2)}"]}\n`),
      );
      expect(await cs(['rollback', 'js', '--json', '--label', 'live'])).toEqual(
        ok(
          `{"name":"js","version":"${v(3)}","from":"${v(1)}","label":"live","before":["${v(1)}"]}\n`,
        ),
      );
      const { stdout, stderr } = await cs(['rollback', 'js', '-v', '2', '--json']);
      expect(stdout).toBe(`{"name":"js","version":"${v(4)}","from":"${v(2)}"}\n`);
      expect(stderr).toContain('live still points to version 3');
      const listed = JSON.parse((await cs(['list', 'js', '--json'])).stdout) as object[];
      expect(listed.at(-1)).toMatchObject({ version: v(4) });
      // What could drive a terminal is an escape of JSON.
      const name = 'a\u202eb "c"';
      expect((await cs(['put', name, 'x', '--json'])).stdout).toBe(
        `{"name":"a\\u202eb \\"c\\"","version":"${v(1)}"}\n`,
      );
    });

    test('a label that can be none is told before anything is stored or asked', async () => {
      for (const label of ['a b', '', '-x', 'x'.repeat(129)]) {
        expect(await cs(['put', 'none', 'x', `--label=${label}`])).toEqual(
          failed(2, 'a label has up to 128'),
        );
      }
      expect(await cs(['list', 'none'])).toEqual(ok(''));
    });

    test('a version that exists keeps its value, and the label stays', async () => {
      await versions(place, 'kept', ['one', 'two']);
      await cs(['label', 'kept', 'live']);
      expect(await cs(['put', 'kept', 'x', '--label', 'live', '--json'])).toEqual(
        failed(4, 'version 0000000000000000001 of kept is already in'),
      );
      expect(await cs(['get', 'kept', '--label', 'live'])).toEqual(ok('two\n'));
    });

    test('of three at once each has a version of its own, and the label has the value of one of them', async () => {
      const values = ['a', 'b', 'c'];
      const put = await Promise.all(
        values.map((value) =>
          run([...place.args, 'put', 'many', value, '-a', '--json', '--label', 'live'], {
            env: place.env,
          }),
        ),
      );
      const versions = put.map(({ status, stdout, stderr }) => {
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        return (JSON.parse(stdout.toString()) as { version: string }).version;
      });
      expect(versions.sort()).toEqual([1, 2, 3].map(v));
      const { status, stdout } = await cs(['get', 'many', '--label', 'live']);
      expect(status).toBe(0);
      expect(values).toContain(stdout.trim());
    });
  });

  describe('delete', () => {
    test('of a labelled version says so; a dry run deletes nothing', async () => {
      await versions(place, 'd', ['one', 'two', 'three']);
      for (const label of ['live', 'a']) await cs(['label', 'd', label, '-v', '2']);
      const dry = await cs(['delete', 'd', '--dry-run']);
      expect(dry).toEqual({
        status: 0,
        stdout: [1, 2, 3].map((each) => `would delete d -- version ${v(each)}\n`).join(''),
        stderr: 'credstash: warning: version 2 of d has the labels a, live\n',
      });
      expect((await cs(['delete', 'd', '-v', '3', '--dry-run'])).stdout).toBe(
        `would delete d -- version ${v(3)}\n`,
      );
      expect(lines((await cs(['list', 'd'])).stdout)).toHaveLength(3);
      expect(await cs(['delete', 'd', '-v', '2'])).toEqual({
        status: 0,
        stdout: `Deleting d -- version ${v(2)}\n`,
        stderr: 'credstash: warning: version 2 of d had the labels a, live\n',
      });
      // Without a terminal it asks nothing.
      expect(await cs(['delete', 'd'])).toEqual(
        ok(`Deleting d -- version ${v(1)}\nDeleting d -- version ${v(3)}\n`),
      );
      expect(await cs(['delete', 'd', '--dry-run'])).toEqual(failed(3, 'there is no secret d'));
    });
  });

  describe('put', () => {
    test('-v of a version that is not the newest says so, and get gives the newest', async () => {
      await versions(place, 'pv', ['one', 'two']);
      expect(await cs(['put', 'pv', 'late', '-v', '0'])).toEqual({
        status: 0,
        stdout: 'pv has been stored\n',
        stderr:
          'credstash: warning: version 0 of pv is stored, but is not the newest: get will still give version 2\n',
      });
      expect(await cs(['get', 'pv'])).toEqual(ok('two\n'));
      expect(await cs(['put', 'pv', 'newest', '-v', '10'])).toEqual(stored('pv'));
      expect(await cs(['put', 'pv', 'auto', '-v', '3', '-a'])).toEqual(stored('pv'));
    });

    test('and so does each secret of putall -v, at most 20 of them', async () => {
      await versions(place, 'pa', ['one', 'two', 'three']);
      const secrets = JSON.stringify({ pa: 'late', pn: 'new' });
      expect(await cs(['putall', secrets, '-v', '0'])).toEqual({
        status: 0,
        stdout: 'pa has been stored\npn has been stored\n',
        stderr:
          'credstash: warning: version 0 of pa is stored, but is not the newest: get will still give version 3\n',
      });
      expect(await cs(['get', 'pa'])).toEqual(ok('three\n'));
      // Also beside one that fails; and what was there already is not stored.
      const again = await cs(['putall', JSON.stringify({ pa: 'x', pn: 'late' }), '-v', '00']);
      expect(again.stderr).not.toContain('is stored');
      await cs(['put', 'pb', 'newest', '-v', '7']);
      const partial = await cs(['putall', JSON.stringify({ pa: 'x', pb: 'late' }), '-v', '0']);
      expect(partial.status).toBe(4);
      expect(partial.stderr).toContain('version 0 of pb is stored, but is not the newest');
      const many = Object.fromEntries(Array.from({ length: 23 }, (_, i) => [`pm${i}`, 'x']));
      await cs(['putall', JSON.stringify(many), '-v', '5']);
      const { stderr } = await cs(['putall', JSON.stringify(many), '-v', '4']);
      expect(stderr.match(/is stored, but is not the newest/g)).toHaveLength(20);
      expect(stderr).toContain('credstash: warning: and 3 more such secrets\n');
    });

    test('a name that readers may not find again is told, and stored', async () => {
      for (const [name, why] of [
        [' spaced', '" spaced" begins or ends with white space'],
        ['spaced\u00a0', '"spaced\\u00a0" begins or ends with white space'],
        ['cafe\u0301', '"cafe\u0301" is not in Unicode\'s form NFC'],
      ] as const) {
        const put = await cs(['put', name, 'x']);
        expect(put).toMatchObject({ status: 0 });
        expect(put.stderr).toContain(`credstash: warning: the name ${why}`);
        const all = await cs(['putall', '-a', JSON.stringify({ [name]: 'x' })]);
        expect(all).toMatchObject({ status: 0 });
        expect(all.stderr).toContain(`credstash: warning: the name ${why}`);
        expect(await cs(['get', name])).toEqual(ok('x\n'));
      }
      expect(await cs(['put', 'caf\u00e9 au lait', 'x'])).toEqual(stored('caf\u00e9 au lait'));
    });
  });

  describe('labels', () => {
    test('pin a version: a rotation puts a new one, and moving the label releases it', async () => {
      await versions(place, 'app.db', ['old']);
      expect(await cs(['label', 'app.db', 'live'])).toEqual(ok('live is version 1 of app.db\n'));
      await versions(place, 'app.db', ['new']);
      expect(await cs(['get', 'app.db'])).toEqual(ok('new\n'));
      const pinned = async (): Promise<string[]> => {
        const env = { DB: 'credstash://app.db?label=live' };
        const read: Ended[] = [
          await cs(['get', 'app.db', '--label', 'live']),
          await cs(['get', '--json', 'app.db', '--label', 'live']),
          await cs(['get', 'app.*', '--label', 'live']),
          await cs(['exec', 'app.*', '--label', 'live', '--', 'sh', '-c', 'echo "$DB"']),
          await cs(['exec', 'app.db', '--label', 'live', '--', 'printenv', 'APP_DB']),
          await cs(['exec', '--env', 'DB=app.db?label=live', '--', 'sh', '-c', 'echo "$DB"']),
          await cs(['exec', '--', 'sh', '-c', 'echo "$DB"'], { env }),
          await cs(['render', '-'], { input: '{{ credstash://app.db?label=live }}\n' }),
        ];
        return read.map(({ status, stdout, stderr }) => {
          expect(stderr).toBe('');
          expect(status).toBe(0);
          return /old|new/.exec(stdout)?.[0] ?? stdout;
        });
      };
      expect(new Set(await pinned())).toEqual(new Set(['old']));
      expect(await cs(['label', 'app.db', 'live'])).toEqual(
        ok('live is version 2 of app.db, and no more version 1\n'),
      );
      expect(new Set(await pinned())).toEqual(new Set(['new']));
      expect(await cs(['label', 'app.db', 'live', '-v', '1'])).toEqual(
        ok('live is version 1 of app.db, and no more version 2\n'),
      );
      expect(await cs(['unlabel', 'app.db', 'live'])).toEqual(
        ok('live is no longer a version of app.db; it was 1\n'),
      );
      expect(await cs(['get', 'app.db', '--label', 'live'])).toEqual(
        failed(3, 'no version of app.db has the label live'),
      );
      expect(await cs(['unlabel', 'app.db', 'live'])).toEqual(failed(3, 'has the label live'));
    });

    test('that are wrong change nothing', async () => {
      await versions(place, 'w', ['x']);
      for (const label of ['', 'a b', '-x', 'é', 'a'.repeat(129), 'a/b']) {
        expect(await cs(['label', 'w', '--', label]), label).toMatchObject({ status: 2 });
        expect(await cs(['get', 'w', `--label=${label}`]), label).toMatchObject({ status: 2 });
      }
      expect(await cs(['get', 'w', '--label', 'l', '-v', '1'])).toEqual(
        failed(2, 'a version and a label cannot both'),
      );
      expect(await cs(['label', 'w', 'l', '-v', '9'])).toEqual(failed(3, 'w has no version 9'));
      expect(await cs(['label', 'nobody', 'l'])).toEqual(failed(3, 'there is no secret nobody'));
      expect(await cs(['unlabel', 'nobody', 'l'])).toEqual(failed(3, 'there is no secret nobody'));
      expect((await cs(['list', 'nobody'])).stdout).toBe('');
    });

    test('a getall by label says which secrets lack it', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1', '2']);
      await versions(own, 'b', ['1']);
      await own.cs(['label', 'a', 'live', '-v', '1']);
      expect(await own.cs(['getall', '--label', 'live'])).toEqual(
        partly(3, '', /b: no version of b has the label live/),
      );
      await own.cs(['label', 'b', 'live']);
      expect(JSON.parse((await own.cs(['getall', '--label', 'live'])).stdout)).toEqual({
        a: '1',
        b: '1',
      });
    });
  });

  describe('prune', () => {
    test('deletes old versions, never the newest nor a labelled one; a dry run tells which', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1', '2', '3', '4', '5']);
      await versions(own, 'b', ['1']);
      await versions(own, 'c', ['1', '2', '3']);
      await own.cs(['label', 'a', 'live', '-v', '2']);
      const doomed = [`a -- version ${v(1)}`, `a -- version ${v(3)}`, `c -- version ${v(1)}`];
      const before = (await own.cs(['list'])).stdout;
      expect(await own.cs(['prune', '--keep', '2', '--dry-run'])).toEqual(
        ok(
          `${doomed.map((each) => `would delete ${each}\n`).join('')}3 to delete, 0 skipped, 0 failed\n`,
        ),
      );
      expect((await own.cs(['list'])).stdout).toBe(before);
      expect(await own.cs(['prune', 'a', '--keep', '2'])).toEqual(
        ok(
          `deleted ${doomed[0] ?? ''}\ndeleted ${doomed[1] ?? ''}\n2 deleted, 0 skipped, 0 failed\n`,
        ),
      );
      expect(await own.cs(['prune', '--keep', '1'])).toMatchObject({ status: 0 });
      expect((await own.cs(['list'])).stdout.match(/[abc] -- version \d+/g)).toEqual([
        `a -- version ${v(2)}`,
        `a -- version ${v(5)}`,
        `b -- version ${v(1)}`,
        `c -- version ${v(3)}`,
      ]);
      expect(await own.cs(['prune', '--keep', '1'])).toEqual(
        ok('0 deleted, 0 skipped, 0 failed\n'),
      );
    });

    test('--older-than keeps what is young, or does not say how old it is', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1', '2', '3']);
      await own.cs(['put', '-a', 'a', '4', '--cipher', 'AES-256-CTR']);
      await own.cs(['put', '-a', 'a', '5']);
      const old = await item(own, 'a', 2);
      await own.plant({ ...old, created: { S: '2020-01-01T00:00:00Z' } });
      expect(await own.cs(['prune', '--keep', '1', '--older-than', '90d'])).toEqual(
        ok(`deleted a -- version ${v(2)}\n1 deleted, 0 skipped, 0 failed\n`),
      );
    });

    test('bad input is refused before anything is deleted', async () => {
      for (const args of [
        ['--keep', '0'],
        ['--keep', '-1'],
        ['--keep', 'x'],
        ['--keep', '1', '--older-than', '90'],
        ['--keep', '1', '--rate', '0'],
        [],
      ]) {
        expect(await cs(['prune', ...args]), args.join(' ')).toMatchObject({
          status: 2,
          stdout: '',
        });
      }
    });
  });

  describe('migrate', () => {
    test('turns original entries into the current format and back, in their place', async () => {
      const own = await running.place();
      await own.cs(['put', 'a', 'one', '--cipher', 'AES-256-CTR', '-c', 'first']);
      await own.cs(['put', '-a', 'a', 'two', '--cipher', 'AES-256-CTR', '-d', 'SHA512']);
      await own.cs(['put', 'b', 'new']);
      await own.cs(['put', 'e', '', '--cipher', 'AES-256-CTR']);
      await own.cs(['label', 'a', 'live', '-v', '1']);
      const before = await own.items();
      expect((await own.cs(['migrate', '--dry-run'])).stdout).toContain('3 to migrate, 0 skipped');
      expect(await own.items()).toEqual(before);
      expect(await own.cs(['migrate'])).toEqual(
        ok(
          `migrated a -- version ${v(1)}\nmigrated a -- version ${v(2)}\nmigrated e -- version ${v(1)}\n` +
            '3 migrated, 0 skipped, 0 failed\n',
        ),
      );
      const headers = JSON.parse((await own.cs(['list', '--json'])).stdout) as object[];
      expect(headers).toMatchObject([
        {
          name: 'a',
          version: v(1),
          cipher: 'AES-256-GCM',
          comment: 'first',
          labels: ['live'],
          digest: 'SHA256',
        },
        { name: 'a', version: v(2), cipher: 'AES-256-GCM', digest: 'SHA512' },
        { name: 'b', cipher: 'AES-256-GCM' },
        { name: 'e', cipher: 'AES-256-GCM' },
      ]);
      for (const [name, value, ...more] of [
        ['a', 'one', '-v', '1'],
        ['a', 'two'],
        ['b', 'new'],
        ['e', ''],
      ] as const) {
        expect(await own.cs(['get', name, ...more])).toEqual(ok(`${value}\n`));
      }
      expect(await own.cs(['migrate'])).toEqual(ok('0 migrated, 0 skipped, 0 failed\n'));
      expect(await own.cs(['migrate', 'a', '--cipher', 'AES-256-CTR'])).toMatchObject({
        status: 0,
      });
      expect((await own.cs(['list', '-l', '--cipher', 'AES-256-CTR'])).stdout).toMatch(
        /^a .*AES-256-CTR/m,
      );
      expect(await own.cs(['list', '--cipher', 'aes-256-ctr'])).toEqual(
        failed(2, '--cipher takes AES-256-GCM or AES-256-CTR'),
      );
      expect(await own.cs(['get', 'a', '--label', 'live'])).toEqual(ok('one\n'));
      expect(await own.cs(['get', 'a'])).toEqual(ok('two\n'));
    });

    test('what does not open stays as it is, and the others are done', async () => {
      const own = await running.place();
      await own.cs(['put', 'a', 'one', 'env=prod', '--cipher', 'AES-256-CTR']);
      await own.cs(['put', 'b', 'two', '--cipher', 'AES-256-CTR']);
      await own.cs(['put', 'c', 'three', '--cipher', 'AES-256-CTR']);
      const found = await item(own, 'b');
      await own.plant({ ...found, contents: { S: Buffer.from('twO').toString('base64') } });
      const before = await own.items();
      expect(await own.cs(['migrate'])).toEqual(
        partly(
          5,
          `migrated c -- version ${v(1)}\n1 migrated, 0 skipped, 2 failed\n`,
          /^credstash: error: 2 of 3 entries have not been migrated in the /,
          /a version 1: version 0+1 of a: .*context/,
          /b version 1: version 0+1 of b: /,
        ),
      );
      const untouched = (each: Item): boolean => textOf(each, 'name') !== 'c';
      expect((await own.items()).filter(untouched)).toEqual(before.filter(untouched));
      expect(await own.cs(['migrate', 'a', 'env=prod'])).toMatchObject({ status: 0 });
      expect(await own.cs(['get', 'a', 'env=prod'])).toEqual(ok('one\n'));
    });
  });

  describe('copy', () => {
    const target = (name: string): Place => vaultPlace(join(folder, name), runHere);

    test('to a vault: every version, comment and label; what is there already is skipped', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1', '2', '3']);
      await own.cs(['put', 'b', '-', '-c', 'bytes', '--cipher', 'AES-256-CTR'], {
        input: Buffer.of(0, 255),
      });
      await own.cs(['label', 'a', 'live', '-v', '2']);
      const to = target('copy');
      const copy = ['copy', '--to-local', join(folder, 'copy')];
      expect((await own.cs([...copy, '--dry-run'])).stdout).toContain(
        '4 to copy, 0 skipped, 0 failed\n',
      );
      expect(await to.cs(['list'])).toMatchObject({ status: 3 });
      expect((await own.cs(copy)).stdout).toContain('4 copied, 0 skipped, 0 failed\n');
      expect(JSON.parse((await to.cs(['list', '--json'])).stdout)).toEqual(
        JSON.parse((await own.cs(['list', '--json'])).stdout),
      );
      expect(await to.cs(['get', 'a', '--label', 'live'])).toEqual(ok('2\n'));
      expect((await to.raw(['get', '-n', 'b'])).stdout).toEqual(Buffer.of(0, 255));
      const requests = running.kms?.requests.length;
      expect(await own.cs(copy)).toEqual(ok('0 copied, 4 skipped, 0 failed\n'));
      // What was copied before is opened there, and not here.
      expect(running.kms?.requests.length).toBe(requests);
    });

    test('of a version that is not the newest there says so, once, and get gives the newest', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1', '2', '3']);
      await versions(own, 'b', ['1', '2']);
      const to = target('overtaken');
      await to.cs(['put', 'a', 'there', '-v', '5']);
      const copy = ['copy', '--to-local', join(folder, 'overtaken')];
      const { stdout, stderr } = await own.cs(copy);
      expect(stdout).toContain('5 copied, 0 skipped, 0 failed\n');
      expect(stderr).toBe(
        `credstash: warning: version 3 of a is copied, but is not the newest in ${to.where}: get there will still give version 5\n`,
      );
      expect(await to.cs(['get', 'a'])).toEqual(ok('there\n'));
      expect(await own.cs(copy)).toEqual(ok('0 copied, 5 skipped, 0 failed\n'));
    });

    test('what is there with another value is a conflict, and stays', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1']);
      await versions(own, 'b', ['same']);
      await versions(own, 'c', ['new']);
      const to = target('conflict');
      await versions(to, 'a', ['other']);
      await versions(to, 'b', ['same']);
      const copy = ['copy', '--to-local', join(folder, 'conflict')];
      for (const done of ['copied', 'copied']) {
        expect(await own.cs(copy)).toEqual(
          partly(
            4,
            expect.stringMatching(
              new RegExp(`[01] ${done}, [12] skipped, 1 failed\n$`),
            ) as unknown as string,
            /a version 1: version 0+1 of a is in the vault .* with another value/,
          ),
        );
      }
      expect(await to.cs(['get', 'a'])).toEqual(ok('other\n'));
      expect(await to.cs(['get', 'c'])).toEqual(ok('new\n'));
    });

    test('--latest and a glob choose; a label that is elsewhere there stays', async () => {
      const own = await running.place();
      await versions(own, 'x.a', ['1', '2']);
      await versions(own, 'x.b', ['1']);
      await versions(own, 'y', ['1']);
      await own.cs(['label', 'x.a', 'live']);
      const to = target('latest');
      const copy = ['copy', 'x.*', '--latest', '--to-local', join(folder, 'latest')];
      expect((await own.cs(copy)).stdout).toContain('2 copied');
      expect((await to.cs(['list'])).stdout.match(/\S+ -- version \d+/g)).toEqual([
        `x.a -- version ${v(2)}`,
        `x.b -- version ${v(1)}`,
      ]);
      await versions(to, 'x.a', ['3']);
      await to.cs(['label', 'x.a', 'live']);
      expect(await own.cs(copy)).toMatchObject({ status: 4 });
      expect(await to.cs(['get', 'x.a', '--label', 'live'])).toEqual(ok('3\n'));
    });

    test('what does not verify is not copied', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1']);
      await versions(own, 'b', ['1']);
      const found = await item(own, 'a');
      await own.plant({ ...found, comment: { S: 'changed' } });
      const copy = ['copy', '--to-local', join(folder, 'tampered')];
      expect(await own.cs(copy)).toMatchObject({
        status: 5,
        stdout: expect.stringContaining('1 copied, 0 skipped, 1 failed') as unknown,
      });
      expect((await target('tampered').cs(['keys'])).stdout).toBe('b\n');
    });

    test('is stopped at any moment, and the same command goes on', async () => {
      const own = await running.place();
      const secrets = Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [`s${i}`, `value ${i}`]),
      );
      await own.cs(['putall', '-'], { input: JSON.stringify(secrets) });
      const args = [...own.args, 'copy', '--to-local', join(folder, 'stopped')];
      const { waitFor, send, done } = pty([...args, '--rate', '3'], { env: own.env });
      await waitFor(/copied .*copied .*copied /s);
      send('\x03');
      expect((await done).status).toBeGreaterThan(128);
      const there = lines((await target('stopped').cs(['keys'])).stdout).length;
      expect(there).toBeGreaterThanOrEqual(3);
      expect(there).toBeLessThan(40);
      expect(await own.cs(['copy', '--to-local', join(folder, 'stopped')])).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(
          `${40 - there} copied, ${there} skipped, 0 failed\n`,
        ) as unknown,
      });
      expect(JSON.parse((await target('stopped').cs(['getall'])).stdout)).toEqual(secrets);
    });

    test('without a destination, with two, or to where it comes from, is refused', async () => {
      expect(await cs(['copy'])).toEqual(failed(2, 'not told where to'));
      expect(await cs(['copy', '--to-local', '/x/y', '--to-table', 'ttt'])).toEqual(
        failed(2, '--to-local is a vault'),
      );
      expect(await cs(['copy', '--to-table', ''])).toEqual(
        failed(2, 'the value of --to-table is empty'),
      );
      const itself =
        running.dynamo === undefined
          ? ['--to-local', place.where.replace('the vault ', '')]
          : ['--to-table', place.args[1] ?? ''];
      expect(await cs(['copy', ...itself])).toEqual(failed(2, 'to where it comes from'));
    });
  });

  describe('list', () => {
    test('-l has a line for each secret; --older-than, --unlabelled and --cipher choose', async () => {
      const own = await running.place();
      await versions(own, 'young', ['1', '2', '3']);
      await own.cs(['put', 'old', 'x', '-c', 'a comment']);
      await own.cs(['put', 'original', 'x', '--cipher', 'AES-256-CTR']);
      await own.cs(['label', 'young', 'live', '-v', '2']);
      await own.cs(['label', 'young', 'next']);
      const found = await item(own, 'old');
      await own.plant({ ...found, created: { S: '2024-01-01T00:00:00Z' } });
      const [titles, ...secrets] = rows((await own.cs(['list', '-l'])).stdout);
      expect(titles).toEqual([
        'NAME',
        'NEWEST',
        'VERSIONS',
        'CREATED',
        'AGE',
        'CIPHER',
        'LABELS',
        'COMMENT',
      ]);
      const today = expect.stringMatching(/^\d{4}-\d\d-\d\d$/) as string;
      expect(secrets).toEqual([
        [
          'old',
          '1',
          '1',
          '2024-01-01',
          expect.stringMatching(/^\d+[dy]$/) as string,
          'AES-256-GCM',
          '-',
          'a comment',
        ],
        ['original', '1', '1', '-', '-', 'AES-256-CTR', '-'],
        ['young', '3', '3', today, '0min', 'AES-256-GCM', 'live=2,next=3'],
      ]);
      const names = async (...args: string[]): Promise<string[]> =>
        rows((await own.cs(['list', '-l', ...args])).stdout)
          .slice(1)
          .map(([name = '']) => name);
      expect(await names('--older-than', '90d')).toEqual(['old', 'original']);
      expect(await names('--older-than', '100y')).toEqual(['original']);
      expect(await names('--unlabelled')).toEqual(['old', 'original']);
      expect(await names('--cipher', 'AES-256-CTR')).toEqual(['original']);
      expect(await names('o*', '--cipher', 'AES-256-GCM')).toEqual(['old']);
      expect(lines((await own.cs(['list', '--unlabelled'])).stdout)).toHaveLength(2);
      expect(await own.cs(['list', '--older-than', 'x'])).toEqual(
        failed(2, 'the age is not a number and a unit'),
      );
      expect(await own.cs(['list', '-l', '--json'])).toEqual(failed(2, 'two ways'));
    });

    test('-l fits the terminal', async () => {
      const own = await running.place();
      await own.cs(['put', 'secret', 'x', '-c', `a comment ${'that is long '.repeat(20)}`]);
      await own.cs(['put', '秘密の鍵', 'x', '-c', '説明'.repeat(40)]);
      const { output } = await pty([...own.args, 'list', '-l'], { env: own.env }).done;
      const shown = leftOn(output).trimEnd().split('\r\n');
      expect(shown).toHaveLength(3);
      for (const line of shown) expect(line.length).toBeLessThanOrEqual(80);
      expect(shown[1]).toMatch(/…$/);
    });
  });

  describe('on a terminal', () => {
    test('delete asks before more than one version, or a labelled one, and takes only y for yes', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1', '2']);
      await own.cs(['label', 'a', 'live', '-v', '1']);
      const ask = async (args: string[], answer: string) => {
        const { waitFor, send, done } = pty([...own.args, 'delete', ...args], { env: own.env });
        await waitFor('[y/N] ');
        send(answer);
        return done;
      };
      for (const answer of ['\r', 'n\r', 'yellow\r', '\x03']) {
        expect((await ask(['a'], answer)).status, JSON.stringify(answer)).toBe(130);
      }
      // What an answer means does not depend on the question.
      expect((await ask(['a', '-v', '1'], 'n\r')).status).toBe(130);
      expect(lines((await own.cs(['list'])).stdout)).toHaveLength(2);
      const one = await ask(['a', '-v', '1'], 'y\r');
      expect(one.status).toBe(0);
      expect(one.output).toContain(
        `credstash: delete 1 version (1) of a in ${own.where}, with labels: live is version 1? [y/N] y`,
      );
      expect(one.output).toContain(`Deleting a -- version ${v(1)}\r\n`);
      expect(one.output).toContain('credstash: warning: version 1 of a had the label live');
      await versions(own, 'a', ['3', '4']);
      const all = await ask(['a'], 'y\r');
      expect(all.status).toBe(0);
      expect(all.output).toContain(`credstash: delete 3 versions of a in ${own.where}? [y/N] y`);
      expect((await own.cs(['list'])).stdout).toBe('');
      // One version without a label, a dry run, and --yes ask nothing.
      await versions(own, 'b', ['1', '2', '3']);
      await own.cs(['label', 'b', 'live']);
      for (const args of [
        ['b', '--dry-run'],
        ['b', '-v', '1'],
        ['b', '-y'],
      ]) {
        const quiet = await pty([...own.args, 'delete', ...args], { env: own.env }).done;
        expect(quiet.status, quiet.output).toBe(0);
        expect(quiet.output).not.toContain('[y/N]');
      }
      expect((await own.cs(['list'])).stdout).toBe('');
    });

    test('what deletes or rewrites more than one entry asks first, and takes only y for yes', async () => {
      const own = await running.place();
      await versions(own, 'a', ['1', '2', '3', '4']);
      const prune = [...own.args, 'prune', '--keep', '2'];
      const ask = async (answer: string): Promise<{ status: number; output: string }> => {
        const { waitFor, send, done } = pty(prune, { env: own.env });
        await waitFor('[y/N] ');
        send(answer);
        return done;
      };
      for (const answer of ['yellow\r', '\x03']) {
        expect((await ask(answer)).status, JSON.stringify(answer)).toBe(130);
      }
      expect(lines((await own.cs(['list'])).stdout)).toHaveLength(4);
      const { status, output } = await ask('y\r');
      expect(status).toBe(0);
      expect(output).toContain(
        `credstash: delete 2 entries of one secret in ${own.where}? [y/N] y`,
      );
      expect(output).toContain('2 deleted, 0 skipped, 0 failed');
      // One entry, a dry run, and --yes ask nothing.
      for (const args of [
        ['prune', '--keep', '1'],
        ['prune', '--keep', '1', '--dry-run'],
        ['migrate', '--cipher', 'AES-256-CTR', '--yes'],
      ]) {
        const quiet = await pty([...own.args, ...args], { env: own.env }).done;
        expect(quiet.status, quiet.output).toBe(0);
        expect(quiet.output).not.toContain('[y/N]');
      }
    });
  });
});

test('a label, a history and a list of 0 secrets', async () => {
  const folder = temporaryFolder();
  const { cs } = vaultPlace(join(folder, 'vault'), runHere);
  await cs(['setup']);
  expect(await cs(['list', '-l'])).toEqual(
    ok('NAME  NEWEST  VERSIONS  CREATED  AGE  CIPHER  LABELS  COMMENT\n'),
  );
  expect(await cs(['migrate'])).toEqual(ok('0 migrated, 0 skipped, 0 failed\n'));
  expect(await cs(['prune', '--keep', '1'])).toEqual(ok('0 deleted, 0 skipped, 0 failed\n'));
});

if (dynamoLocalMissing() === undefined) {
  const kmsOf = ({ kms }: Running): KmsServer => {
    if (!kms) throw new Error('there is no KMS');
    return kms;
  };
  describe('a service that denies, on AWS', () => {
    let running: Running;
    let recorder: Recorder;
    let place: Place;
    beforeAll(async () => {
      running = await dynamoLocal.start();
      recorder = await startRecorder({
        DynamoDB: running.dynamo ?? '',
        KMS: kmsOf(running).url,
      });
      await createTable(running.dynamo ?? '', 'denied');
      place = awsPlace(recorder.url, recorder.url, 'denied', runHere);
    });
    afterAll(async () => {
      await Promise.all([running.close(), recorder.close()]);
    });
    const deny = (...denied: string[]): void => {
      recorder.meddle = (action) =>
        Promise.resolve(
          denied.includes(action) ? awsError('AccessDeniedException', 'no') : undefined,
        );
    };

    test.each([
      ['-r', ['rollback', '--label', 'live', '--', '-r'], 'one\n'],
      ['-p', ['put', '-a', '--label', 'live', '--', '-p', 'three'], 'three\n'],
      ['-j', ['put', '-a', '--label', 'live', '--json', '--', '-j', 'three'], 'three\n'],
    ])(
      'a label that cannot be moved: the error names the stored version, and the command that moves it: %s',
      async (name, command, newest) => {
        for (const value of ['one', 'two']) await place.cs(['put', '-a', '--', name, value]);
        await place.cs(['label', '--', name, 'live']);
        deny('DynamoDB.TransactWriteItems');
        const { status, stdout, stderr } = await place.cs(command);
        expect({ status, stdout }).toEqual({ status: 6, stdout: '' });
        expect(stderr).toContain(
          `credstash: error: version 3 of ${name} is stored in ${place.where}, but the label live has not been moved to it: access denied`,
        );
        recorder.meddle = undefined;
        expect(await place.cs(['get', '--label', 'live', '--', name])).toEqual(ok('two\n'));
        expect(await place.cs(['get', '--', name])).toEqual(ok(newest));
        const [, advice = ''] = /^credstash: hint: .*credstash (.*)$/m.exec(stderr) ?? [];
        const moved = asText(await runHere(advice.split(' '), { env: place.env }));
        expect(moved).toEqual(ok(`live is version 3 of ${name}, and no more version 2\n`));
      },
    );

    test('put -v needs no Query: without it there is no note, and no failure', async () => {
      await place.cs(['put', 'q', 'one', '-v', '5']);
      deny('DynamoDB.Query');
      recorder.requests.length = 0;
      expect(await place.cs(['put', 'q', 'two', '-v', '2'])).toEqual(stored('q'));
      expect(recorder.requests.map(({ action }) => action).sort()).toEqual([
        'DynamoDB.PutItem',
        'DynamoDB.Query',
        'KMS.GenerateDataKey',
      ]);
      recorder.requests.length = 0;
      expect(await place.cs(['put', 'q', 'three'])).toEqual(stored('q'));
      expect(recorder.requests.map(({ action }) => action)).not.toContain('DynamoDB.Query');
      recorder.meddle = undefined;
    });

    test('a put that asks looks first whether the version exists; who may not look is asked', async () => {
      await place.cs(['put', 'there', 'x']);
      const told = await pty([...place.args, 'put', 'there'], { env: place.env }).done;
      expect(told.status).toBe(4);
      expect(told.output).toMatch(/^credstash: error: version 0+1 of there is already in/);
      deny('DynamoDB.GetItem');
      const { waitFor, send, done } = pty([...place.args, 'put', 'unseen'], { env: place.env });
      await waitFor('unseen: ');
      send('typed\r');
      expect((await done).status).toBe(0);
      recorder.meddle = undefined;
      expect(await place.cs(['get', 'unseen'])).toEqual(ok('typed\n'));
    });
  });

  describe('rekey, on AWS', () => {
    let running: Running;
    const folder = temporaryFolder();
    beforeAll(async () => {
      running = await dynamoLocal.start();
    });
    afterAll(async () => {
      await running.close();
    });

    test('moves every data key to another master key, and nobody sees one', async () => {
      const { cs, items } = await running.place();
      const kms = kmsOf(running);
      const old = kms.addKey('alias/old');
      kms.addKey('alias/new');
      await cs(['put', '-k', 'alias/old', 'a', 'one', 'env=prod']);
      await cs(['put', '-k', 'alias/old', 'a', 'two', '-a', 'env=prod']);
      await cs(['put', '-k', 'alias/old', 'b', 'original', 'env=prod', '--cipher', 'AES-256-CTR']);
      await cs(['put', '-k', 'alias/new', 'c', 'there', 'env=prod']);
      await cs(['label', 'a', 'live', '-v', '1']);
      const before = await items();
      const rekey = ['rekey', '-k', 'alias/new', 'env=prod'];
      expect((await cs([...rekey, '--dry-run'])).stdout).toContain(
        '3 to rekey, 1 skipped, 0 failed\n',
      );
      expect(await items()).toEqual(before);
      const seen = kms.requests.length;
      expect((await cs(rekey)).stdout).toContain('3 rekeyed, 1 skipped, 0 failed\n');
      expect(new Set(kms.requests.slice(seen).map(({ action }) => action))).toEqual(
        new Set(['ReEncrypt']),
      );
      kms.disableKey(old);
      expect(await cs(['get', 'a', 'env=prod'])).toEqual(ok('two\n'));
      expect(await cs(['get', 'a', '--label', 'live', 'env=prod'])).toEqual(ok('one\n'));
      expect(await cs(['get', 'b', 'env=prod'])).toEqual(ok('original\n'));
      expect(await cs(rekey)).toEqual(ok('0 rekeyed, 4 skipped, 0 failed\n'));
      const sealed = (all: Item[]): unknown => all.map(({ key: _, ...rest }) => rest);
      expect(sealed(await items())).toEqual(sealed(before));
    });

    test('what the context does not fit stays as it is, and the others are done', async () => {
      const { cs } = await running.place();
      kmsOf(running).addKey('alias/other');
      await cs(['put', 'a', 'one', 'env=prod']);
      await cs(['put', 'b', 'two']);
      expect(await cs(['rekey', '-k', 'alias/other'])).toEqual(
        partly(
          6,
          `rekeyed b -- version ${v(1)}\n1 rekeyed, 0 skipped, 1 failed\n`,
          /a version 1: version 0+1 of a: .*context/,
        ),
      );
      expect(await cs(['get', 'a', 'env=prod'])).toEqual(ok('one\n'));
      expect(await cs(['rekey', '-k', 'alias/nowhere'])).toMatchObject({ status: 6 });
      expect(await cs(['rekey'])).toEqual(failed(2, 'not told the new key'));
    });

    test('and a vault goes to AWS, to another table, and back', async () => {
      const local = vaultPlace(join(folder, 'laptop'), runHere);
      await local.cs(['put', 'a', 'one', 'env=prod', '-c', 'a comment']);
      await local.cs(['put', 'a', 'two', '-a', 'env=prod']);
      await local.cs(['label', 'a', 'live', '-v', '1']);
      const [first, second] = [await running.place(), await running.place()];
      const into = (place: Place): string[] => ['--to-table', place.args[1] ?? ''];
      const there = await local.cs(['copy', ...into(first), 'env=prod'], { env: first.env });
      expect(there.stdout).toContain('2 copied, 0 skipped, 0 failed\n');
      kmsOf(running).addKey('alias/second');
      expect(
        (await first.cs(['copy', ...into(second), '--to-key', 'alias/second', 'env=prod'])).stdout,
      ).toContain('2 copied');
      const back = vaultPlace(join(folder, 'back'), runHere);
      await second.cs(['copy', '--to-local', join(folder, 'back'), 'env=prod']);
      for (const place of [first, second, back]) {
        expect(await place.cs(['get', 'a', 'env=prod'])).toEqual(ok('two\n'));
        expect(await place.cs(['get', 'a', '--label', 'live', 'env=prod'])).toEqual(ok('one\n'));
        expect((await place.cs(['list', '--json'])).stdout).toBe(
          (await local.cs(['list', '--json'])).stdout,
        );
      }
      expect(await first.cs(['copy', '--to-table', 'nowhere', 'env=prod'])).toMatchObject({
        status: 3,
      });
    });

    test('every original entry is migrated, and back', async () => {
      const place = await running.place();
      const chosen = originals.filter(({ context }) => Object.keys(context).length === 0);
      expect(chosen.length).toBeGreaterThan(5);
      for (const { item, dataKey, context } of chosen) {
        const raw = fromJson(item) as unknown as Item;
        kmsOf(running).importDataKey(
          Buffer.from(textOf(raw, 'key') ?? '', 'base64'),
          context,
          Buffer.from(dataKey, 'base64'),
        );
        await place.plant(raw);
      }
      const before = (await place.cs(['getall', '-f', 'json'])).stdout;
      expect(await place.cs(['migrate'])).toMatchObject({
        status: 0,
        stdout: expect.stringContaining(
          `${chosen.length} migrated, 0 skipped, 0 failed\n`,
        ) as unknown,
      });
      expect((await place.cs(['getall', '-f', 'json'])).stdout).toBe(before);
      expect(await place.cs(['migrate', '--cipher', 'AES-256-CTR'])).toMatchObject({ status: 0 });
      expect((await place.cs(['getall', '-f', 'json'])).stdout).toBe(before);
      expect(
        (await place.cs(['list', '-l', '--cipher', 'AES-256-GCM'])).stdout.split('\n'),
      ).toHaveLength(2);
    });
  });
}
