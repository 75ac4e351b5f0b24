import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtCommand, nodeUnderTest, run, standaloneUnderTest } from '../support/run.ts';
import {
  asText,
  dynalite,
  type Ended,
  failed,
  ok,
  type Place,
  type Running,
  stored,
  vaultPlace,
} from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The command where the system, or Node.js itself, refuses what has nothing to do with what was asked: the current folder was
 * deleted, few files can be open at once, or the permission model is on.
 */

const folder = temporaryFolder();
const isStandalone = standaloneUnderTest() !== undefined;
let running: Running;
let aws: Place;
let vault: Place;

beforeAll(async () => {
  running = await dynalite.start();
  aws = await running.place();
  vault = vaultPlace(join(folder, 'vault'));
  for (const place of [aws, vault]) {
    expect(await place.cs(['put', 'db', 'secret'])).toEqual(stored('db'));
  }
});
afterAll(async () => {
  await running.close();
});

describe('the current folder was deleted', () => {
  const under = ['sh', '-c', 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', 'sh'] as const;
  const gone = 'cd to a folder that exists, or give an absolute path';
  const file = join(folder, 'file');

  test.each(['AWS', 'the vault'])('what needs no folder works, on %s', async (backend) => {
    const place = backend === 'AWS' ? aws : vault;
    const cs = (...args: string[]): Promise<Ended> => place.cs(args, { under });
    expect(await cs('get', 'db')).toEqual(ok('secret\n'));
    expect((await cs('list')).stdout).toMatch(/^db -- version 0+1 --/);
    expect(await cs('exec', 'db', '--', 'printenv', 'DB')).toEqual(ok('secret\n'));
    expect(await cs('put', 'here', 'x')).toEqual(stored('here'));
    writeFileSync(file, 'y');
    expect(await cs('put', 'file', `@${file}`)).toEqual(stored('file'));
    expect(await cs('getall', '-o', file)).toEqual(ok(''));
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ db: 'secret', here: 'x', file: 'y' });
    expect((await cs('doctor')).stderr).toBe('');
  });

  test.each([
    [2, 'getall', '-o', 'out'],
    [2, 'get', 'db', '-o', 'sub/out'],
    [2, 'put', 'other', '@file'],
    [2, 'render', 'template'],
    [2, 'get', 'db', '--log-file', 'log'],
    [2, 'copy', '--to-local', 'vault'],
    [127, 'exec', 'db', '--', './program'],
  ] as [number, ...string[]][])('status %i and a hint: %s %s %s %s', async (status, ...args) => {
    expect(await vault.cs(args, { under })).toEqual(failed(status, gone));
  });

  test('a vault has no relative path there', async () => {
    for (const args of [['list'], ['put', 'a', 'b']]) {
      const ended = await run(['--local=vault', ...args], { under });
      expect(asText(ended)).toEqual(failed(2, 'the current folder was deleted', gone));
    }
  });
});

/** Runs under a limit of open files, which is also the hard one: Node.js and Bun raise the other to it. */
const limited = (files: number): readonly [string, ...string[]] => [
  'sh',
  '-c',
  `ulimit -c 0; ulimit -n ${files}; exec "$@"`,
  'sh',
];

/** Whether the runtime itself starts a script that does nothing. */
function starts(files: number): boolean {
  if (isStandalone) return files > 5;
  const script = join(folder, 'empty.cjs');
  writeFileSync(script, '');
  const [program, ...args] = limited(files);
  return spawnSync(program, [...args, nodeUnderTest(), script]).status === 0;
}

test('few files can be open: it works or says so, from the first that the runtime starts with', async () => {
  const hint = 'raise its hard limit (ulimit -Hn) to 1024';
  const met = { worked: 0, refused: 0 };
  /** Whether both commands work under this limit; what does not work says so. */
  const works = async (place: Place, files: number): Promise<boolean> => {
    const statuses: (number | null)[] = [];
    for (const args of [
      ['get', 'db'],
      ['exec', 'db', '--', 'printenv', 'DB'],
    ]) {
      const ended = await place.cs(args, { under: limited(files) });
      statuses.push(ended.status);
      met[ended.status === 0 ? 'worked' : 'refused'] += 1;
      const expected = ended.status === 0 ? ok('secret\n') : failed(ended.status ?? -1, hint);
      expect(ended, `${files}: ${args.join(' ')} on ${place.where}`).toEqual(expected);
    }
    return statuses.every((status) => status === 0);
  };
  let first = 5;
  while (!starts(first)) first += 1;
  for (const place of [vault, aws]) {
    // What has worked under two limits in a row works under each that is higher; one of them is tried.
    let row = 0;
    for (let files = first; row < 2; files += 1) row = (await works(place, files)) ? row + 1 : 0;
    expect(await works(place, 32)).toBe(true);
  }
  expect(met.worked).toBeGreaterThan(0);
  expect(met.refused).toBeGreaterThan(0);
  expect(await vault.cs(['get', 'db'], { under: limited(1024) })).toEqual(ok('secret\n'));
});

// The single file does not read NODE_OPTIONS.
if (!isStandalone) {
  describe('what Node.js is told not to allow', () => {
    const major = Number(
      spawnSync(nodeUnderTest(), ['-p', 'process.versions.node.split(".")[0]']).stdout,
    );
    const permission = major < 22 ? '--experimental-permission' : '--permission';

    /** Adds what each hint says, until the command works or no hint names an option. */
    async function follow(
      place: Place,
      args: readonly string[],
    ): Promise<Ended & { added: string[] }> {
      // Node.js 20 needs it to read the command's first file, which fails before anything of ours runs.
      const added = major < 22 ? [`--allow-fs-read=${dirname(dirname(builtCommand))}/*`] : [];
      for (;;) {
        const env = { NODE_OPTIONS: [permission, ...added].join(' ') };
        const { stderr: said, ...ended } = await place.cs(args, { env });
        const stderr = said.replaceAll(
          /^\(node:\d+\) (?:Security|Experimental)Warning: .*\n|^\(Use .*\n/gm,
          '',
        );
        const [option] = /(?<=add |with )--allow-\S+/.exec(stderr) ?? [];
        if (ended.status === 0 || option === undefined || added.includes(option)) {
          return { ...ended, stderr, added };
        }
        expect({ ...ended, stderr }).toEqual(failed(ended.status ?? -1, option));
        added.push(option);
      }
    }

    test('the hints of the permission model lead to a command that works', async () => {
      const addons = major < 22 ? ['--allow-addons'] : [];
      expect(await follow(vault, ['get', 'db'])).toEqual({
        ...ok('secret\n'),
        added: expect.arrayContaining(['--allow-fs-read=*', ...addons]) as unknown,
      });
      expect(await follow(vault, ['exec', 'db', '--', 'printenv', 'DB'])).toEqual({
        ...ok('secret\n'),
        added: expect.arrayContaining(['--allow-child-process']) as unknown,
      });
      expect(await follow(aws, ['get', 'db'])).toMatchObject(ok('secret\n'));
      for (const args of [
        ['get', 'db', '-o', join(folder, 'permitted')],
        [`--local=${join(folder, 'permitted-vault')}`, 'put', 'a', 'b'],
      ]) {
        const ended = await follow(args[0] === 'get' ? vault : { ...vault, cs: unplaced }, args);
        if (major >= 24) expect(ended.status).toBe(0);
        else
          expect(ended).toMatchObject(
            failed(ended.status ?? -1, 'use Node.js 24 or later') as object,
          );
        expect(ended.added).toContain('--allow-fs-write=*');
      }
    });

    async function unplaced(args: readonly string[], options = {}): Promise<Ended> {
      return asText(await run(args, options));
    }

    test('without addons there is no vault on Node.js 20, and the error says why', async () => {
      const env = { NODE_OPTIONS: '--no-addons' };
      expect(await vault.cs(['get', 'db'], { env })).toEqual(
        major < 22 ? failed(1, 'runs without addons', 'without --no-addons') : ok('secret\n'),
      );
      expect(await aws.cs(['get', 'db'], { env })).toEqual(ok('secret\n'));
    });
  });
}
