import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { failed, ok, stored, vaultPlace } from '../end-to-end/backends.ts';
import { shell } from '../end-to-end/shell.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

const folder = temporaryFolder();
const path = join(folder, 'vault');
const place = vaultPlace(path);
const { cs } = place;
const many = 2000;
const comment = 'so long that all the lines together fill every buffer on the way many times over';

/** Entries that nobody can open; listing and deleting look at their headers alone. */
async function plant(name: string, versions: number): Promise<void> {
  const { entries, vault } = openLocal(path, { create: true });
  // Nobody minds if these are lost with the machine.
  vault.withDatabase((database) => {
    database.exec('PRAGMA synchronous = OFF');
  });
  const entry = {
    name,
    cipher: 'AES-256-GCM',
    digest: 'SHA256',
    created: '2026-11-23T00:00:00Z',
    comment,
    key: Buffer.alloc(92),
    contents: Buffer.alloc(28),
    hmac: Buffer.alloc(32),
  } as const;
  for (let i = 1; i <= versions; i++) await entries.create({ ...entry, version: v(i) });
  vault.close();
}

beforeAll(async () => {
  await plant('many', many);
  expect(await cs(['put', 'secret', 'value'])).toEqual(stored('secret'));
});

const line = (version: number): string => `many   -- version ${v(version)} -- comment ${comment}\n`;

test('list | head -1 ends well, and without a word', async () => {
  const script = 'credstash list | head -1; echo "${PIPESTATUS[*]}"';
  expect(await shell(place, script)).toEqual(ok(`${line(1)}0 0\n`));
  const json = await shell(place, 'credstash list --json | head -c 1; echo "${PIPESTATUS[*]}"');
  expect(json).toEqual(ok('[0 0\n'));
  // All of it, where somebody reads all of it, however slowly.
  const slow = await shell(place, 'credstash list | (sleep 0.5; cat) | tail -2');
  const last = `secret -- version ${v(1)} -- comment \n`;
  expect(slow).toEqual(ok(line(many) + last));
});

test('all of it, into a pipe that another program made non-blocking and whose reader is slow', async () => {
  const nonBlocking = 'import fcntl, os; fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)';
  const script = `{ python3 -c '${nonBlocking}'; credstash list; echo $? >&2; } | (sleep 0.5; cat) | wc -l`;
  expect(await shell(place, script)).toEqual({
    status: 0,
    stdout: `${String(many + 1)}\n`,
    stderr: '0\n',
  });
});

test('get and --help into a reader that is gone', async () => {
  for (const command of ['get secret', '--help', 'put --help', '--version', 'put piped x -a']) {
    const gone = `{ sleep 0.3; credstash ${command}; echo $? >&2; } | true`;
    expect(await shell(place, gone), command).toEqual({ status: 0, stdout: '', stderr: '0\n' });
  }
});

test('an error whose reader is gone still has its exit status', async () => {
  const status = '{ { sleep 0.3; credstash get nothing 2>&1; echo $? >&3; } | true; } 3>&1';
  expect(await shell(place, status)).toEqual(ok('3\n'));
});

test('delete goes on when its reader goes away', async () => {
  await plant('doomed', 100);
  const script = 'credstash delete doomed | head -1; echo "${PIPESTATUS[*]}"';
  expect(await shell(place, script)).toEqual(ok(`Deleting doomed -- version ${v(1)}\n0 0\n`));
  expect(await cs(['list', 'doomed'])).toEqual(ok(''));
  await plant('doomed', 20);
  const gone = '{ sleep 0.3; credstash delete doomed; echo $? >&2; } | true';
  expect(await shell(place, gone)).toEqual({ status: 0, stdout: '', stderr: '0\n' });
  expect(await cs(['list', 'doomed'])).toEqual(ok(''));
});

test('stdin that is closed', async () => {
  expect(await shell(place, 'credstash get secret <&-')).toEqual(ok('value\n'));
  expect(await shell(place, 'credstash put closed value <&-')).toEqual(stored('closed'));
  expect(await shell(place, 'credstash get closed')).toEqual(ok('value\n'));
});

test('stdout and stderr that are closed', async () => {
  expect(await shell(place, 'credstash put out value >&-; echo $?')).toEqual(ok('0\n'));
  expect(await shell(place, 'credstash get out 2>&-')).toEqual(ok('value\n'));
  expect(await shell(place, 'credstash get nothing >&- 2>&-; echo $?')).toEqual(ok('3\n'));
});

test('a full disk: exit 1 and a message', async () => {
  const full = failed(1, 'stdout cannot be written (ENOSPC)');
  for (const command of [
    'get secret',
    'get -n secret',
    'list',
    'list --json',
    '--help',
    '--version',
    'setup',
    'put full value',
  ]) {
    expect(await shell(place, `credstash ${command} >/dev/full`), command).toEqual(full);
  }
  expect(await cs(['get', 'full'])).toEqual(ok('value\n'));
});

test('-o to a full disk: the file is not there', async () => {
  const script = `credstash get secret -o /dev/full; echo $?; ls -l /dev/full | cut -c1`;
  const { stdout, stderr } = await shell(place, script);
  expect(stdout).toBe('2\nc\n');
  expect(stderr).toContain('/dev/full is not a plain file');
});

test('what ends on a signal leaves the vault usable', async () => {
  await plant('busy', 500);
  // credstash is a function of the shell: exec makes the process the one to kill.
  const kill =
    'coproc C { eval "exec ${credstash} delete busy"; }; read -r -u "${C[0]}" _; kill -9 "$C_PID"; wait; true';
  expect(await shell(place, kill)).toMatchObject({ status: 0 });
  expect(await cs(['get', 'secret'])).toEqual(ok('value\n'));
  expect(await cs(['put', 'after', 'value'])).toEqual(stored('after'));
});
