import { execFileSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { canMount, type Mounts, startMounts } from '../support/mounts.ts';
import {
  copyInCommit,
  copyVault,
  execute,
  FOREIGN,
  makeOlder,
  nameSuperJournal,
} from '../support/vault-files.ts';
import {
  asText,
  type Ended,
  failed,
  ok,
  type Place,
  runHere,
  stored,
  vaultPlace,
} from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * Whose a vault is: its files, its key, and what its database holds.
 */

const root = temporaryFolder();
let count = 0;

/** What every vault here is a copy of. */
const original = vaultPlace(join(root, 'original'), runHere);
beforeAll(async () => {
  expect(await original.cs(['put', 'a', 'older'])).toEqual(stored('a'));
  expect(await original.cs(['put', '-a', 'a', 'secret'])).toEqual(stored('a'));
});

/** Makes a vault with one secret of two versions. */
function makeVault(): Place & { readonly folder: string } {
  const folder = join(root, `vault-${++count}`);
  copyVault(join(root, 'original'), folder);
  return { ...vaultPlace(folder, runHere), folder };
}

/** Makes the master.key of a vault that of another one. */
async function swapKey(folder: string): Promise<Place> {
  const path = join(root, `other-${++count}`);
  const other = vaultPlace(path, runHere);
  expect(await other.cs(['put', 'z', 'x'])).toEqual(stored('z'));
  copyFileSync(join(path, 'master.key'), join(folder, 'master.key'));
  return other;
}

const READS = [['get', 'a'], ['getall'], ['list'], ['keys']];
const WRITES = [
  ['put', 'b', 'x'],
  ['put', '-a', 'a', 'x'],
  ['putall', '{"b": "x"}'],
  ['delete', 'a'],
  ['label', 'a', 'live'],
];

/** Runs all that reads and writes, and the doctor; each must end in `status` and say this, and change nothing. */
async function expectRefused(
  place: Place,
  folder: string,
  status: number,
  ...said: string[]
): Promise<void> {
  const database = join(folder, 'vault.db');
  const before = readFileSync(database);
  for (const args of [...READS, ...WRITES]) {
    const ended = await place.cs(args);
    expect(ended, args.join(' ')).toMatchObject({ status, stdout: '' });
    for (const text of said) expect(ended.stderr).toContain(text);
  }
  const doctor = await place.cs(['doctor']);
  expect(doctor.status).toBe(status);
  for (const text of said) expect(doctor.stdout).toContain(text);
  expect(readFileSync(database).equals(before)).toBe(true);
}

describe('a database that holds what credstash did not make', () => {
  test.each(Object.entries(FOREIGN))('%s: exit 5, and nothing of it runs', async (_, sql) => {
    const { folder, cs } = makeVault();
    execute(folder, sql);
    const before = readFileSync(join(folder, 'vault.db'));
    expect(await cs(['getall'])).toEqual(failed(5, `the vault ${folder}`, 'restore'));
    expect(readFileSync(join(folder, 'vault.db')).equals(before)).toBe(true);
  });

  test('every command says so', async () => {
    const place = makeVault();
    execute(place.folder, FOREIGN['a trigger that adds a row'] ?? '');
    await expectRefused(place, place.folder, 5, 'what credstash did not make: trigger t');
  });
});

test('a journal that names another file leaves that file alone', async () => {
  const { folder } = makeVault();
  const victim = join(root, 'precious');
  writeFileSync(victim, 'x');
  const image = join(root, `vault-${++count}`);
  copyInCommit(folder, image);
  nameSuperJournal(join(image, 'vault.db-journal'), victim);
  await expectRefused(vaultPlace(image, runHere), image, 5, 'was not written by credstash');
  expect(existsSync(victim)).toBe(true);
});

test('a FIFO in the place of a file keeps nobody waiting', async () => {
  for (const file of ['master.key', 'vault.db', 'vault.db-journal']) {
    const { folder } = makeVault();
    // As processes: one that waited would keep this one waiting, too.
    const place = vaultPlace(folder);
    execFileSync('rm', ['-f', join(folder, file)]);
    execFileSync('mkfifo', ['-m', '600', join(folder, file)]);
    for (const args of [['get', 'a'], ['put', 'b', 'x'], ['doctor']]) {
      const ended = await place.cs(args);
      expect(ended.status).toBe(2);
      expect(`${ended.stdout}${ended.stderr}`).toContain(
        `${join(folder, file)} is not a plain file`,
      );
    }
  }
});

describe("another vault's master.key", () => {
  test('is told by whatever takes the key, before anything is stored', async () => {
    const { folder, cs } = makeVault();
    const other = await swapKey(folder);
    const before = readFileSync(join(folder, 'vault.db'));
    const said = [
      `the master.key in ${folder} is not the one`,
      'restore both files from one backup',
    ];
    for (const args of [
      ['get', 'a'],
      ['getall'],
      ['getall', '--skip-undecryptable'],
      ['put', 'b', 'x'],
      ['put', '-a', 'a', 'x', 'k=v'],
      ['rollback', 'a'],
      ['exec', 'a', '--', 'true'],
      ['setup'],
    ]) {
      const ended = await cs(args);
      expect(ended, args.join(' ')).toEqual(failed(6, ...said));
    }
    for (const args of [
      ['putall', '{"b": "x"}'],
      ['migrate', '--cipher', 'AES-256-CTR', '--yes'],
    ]) {
      const ended = await cs(args);
      expect(ended.status, args.join(' ')).toBe(6);
      expect(ended.stderr).toContain(said[0]);
    }
    const copy = await other.cs(['copy', '--to-local', folder]);
    expect(copy.status).toBe(6);
    expect(copy.stderr).toContain(said[0]);
    const doctor = await cs(['doctor']);
    expect(doctor.status).toBe(6);
    expect(doctor.stdout).toMatch(/^failed +master key .* is not the one/m);
    expect(doctor.stdout).not.toContain('data key');
    expect(readFileSync(join(folder, 'vault.db')).equals(before)).toBe(true);
  });

  test('what the hint says mends it', async () => {
    const { folder, cs } = makeVault();
    const backup = `${folder}.backup`;
    copyVault(folder, backup);
    await swapKey(folder);
    expect((await cs(['get', 'a'])).status).toBe(6);
    for (const file of readdirSync(backup)) copyFileSync(join(backup, file), join(folder, file));
    expect(await cs(['get', 'a'])).toEqual(ok('secret\n'));
  });
});

describe.each([1, 2] as const)('a vault of schema %i', (version) => {
  test('is read as it is, and knows its key after the next put', async () => {
    const { folder, cs } = makeVault();
    makeOlder(folder, version);
    const before = readFileSync(join(folder, 'vault.db'));
    expect(await cs(['get', 'a'])).toEqual(ok('secret\n'));
    expect((await cs(['doctor'])).status).toBe(0);
    expect(readFileSync(join(folder, 'vault.db')).equals(before)).toBe(true);
    expect(await cs(['put', 'b', 'x'])).toEqual(stored('b'));
    await swapKey(folder);
    expect(await cs(['put', 'c', 'x'])).toEqual(failed(6, 'is not the one'));
  });
});

describe('files of another user', () => {
  // Only root can give a file away.
  if (process.getuid?.() !== 0) return;

  test.each(['', 'master.key', 'vault.db', 'vault.db-journal'])(
    'are refused, and what the hint says mends it: %j',
    async (file) => {
      const place = makeVault();
      const { folder, cs } = place;
      const path = join(folder, file);
      if (!existsSync(path)) writeFileSync(path, '', { mode: 0o600 });
      chownSync(path, 12_345, 12_345);
      await expectRefused(place, folder, 6, 'belongs to user 12345, and you are user 0');
      const { stderr } = await cs(['get', 'a']);
      const command = /^credstash: hint: .*: (chown .*)$/m.exec(stderr)?.[1] ?? '';
      execFileSync('sh', ['-c', command]);
      expect(await cs(['get', 'a'])).toEqual(ok('secret\n'));
    },
  );

  test('are read by that user, and by nobody else', async () => {
    const { folder, cs } = makeVault();
    for (const file of ['', ...readdirSync(folder)]) chownSync(join(folder, file), 12_345, 12_345);
    // Whoever may read all files, as root may, and is not root.
    const args = ['get', 'a'];
    const reuid = (user: number): Mounts['under'] => [
      'setpriv',
      `--reuid=${user}`,
      '--clear-groups',
      '--inh-caps=+dac_override,+dac_read_search',
      '--ambient-caps=+dac_override,+dac_read_search',
    ];
    expect(await cs(args, { under: reuid(12_345) })).toEqual(ok('secret\n'));
    expect(await cs(args, { under: reuid(12_346) })).toEqual(
      failed(6, 'belongs to user 12345, and you are user 12346'),
    );
  });
});

describe('the folders of a new vault', () => {
  const modeOf = (path: string): number => statSync(path).mode & 0o777;

  test('are for their owner alone, with the parents that are created', async () => {
    const home = join(root, `home-${++count}`);
    mkdirSync(home, { mode: 0o755 });
    const put = await runHere(['--local', 'put', 'a', 'x'], { env: { HOME: home } });
    expect(asText(put)).toEqual(stored('a'));
    for (const each of ['.local', '.local/share', '.local/share/credstash']) {
      expect(modeOf(join(home, each)), each).toBe(0o700);
    }
    expect(modeOf(home)).toBe(0o755);
    const { cs } = makeVault();
    const copy = join(home, 'x', 'y', 'copy');
    expect((await cs(['copy', '--to-local', copy])).status).toBe(0);
    for (const each of ['x', 'x/y', 'x/y/copy']) expect(modeOf(join(home, each))).toBe(0o700);
  });

  test('cannot be made in /proc: an error that says so', async () => {
    const options = { env: { HOME: '/proc', CREDSTASH_CODE_CACHE: '0' } };
    const ended: Ended[] = [];
    for (const args of [['put', 'a', 'x'], ['setup']]) {
      ended.push(asText(await runHere(['--local', ...args], options)));
    }
    for (const each of ended) {
      expect(each).toEqual(
        failed(
          1,
          'the vault /proc/.local/share/credstash cannot be made',
          '/proc takes no new files',
          '--local=FOLDER',
        ),
      );
    }
    expect(asText(await runHere(['--local', 'get', 'a'], options))).toEqual(
      failed(3, 'there is no vault in /proc/.local/share/credstash'),
    );
  });
});

if (canMount()) {
  describe('on a mount whose source was deleted', () => {
    const opened: Mounts[] = [];
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()));
    });

    test('no vault can be made: an error that says so', async () => {
      const [source, at] = [join(root, 'source'), join(root, 'mounted')];
      const script = `mkdir ${source} ${at}; chmod 700 ${source}; mount --bind ${source} ${at}; rmdir ${source}`;
      const mounts = await startMounts(script);
      opened.push(mounts);
      for (const folder of [at, join(at, 'x/vault')]) {
        const { cs } = vaultPlace(folder);
        expect(await cs(['put', 'a', 'x'], { under: mounts.under })).toEqual(
          failed(1, 'cannot be made', `${at} takes no new files`),
        );
      }
    });
  });
}
