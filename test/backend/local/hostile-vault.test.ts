import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDatabase } from '../../../src/backend/local/sqlite.ts';
import { openOwnDatabase } from '../../../src/backend/local/files.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Vault } from '../../../src/backend/local/vault.ts';
import { Credstash } from '../../../src/credstash.ts';
import { copyInCommit, execute, FOREIGN, nameSuperJournal } from '../../support/vault-files.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/*
 * A vault of whose files somebody else may be the author.
 */

let root: string;
let folder: string;
let opened: Vault[];

beforeEach(async () => {
  root = temporaryFolder();
  folder = join(root, 'vault');
  opened = [];
  await open().put('n', Buffer.from('secret'));
  closeAll();
});
afterEach(() => {
  vi.restoreAllMocks();
  closeAll();
});

/** A `Credstash` of a process of its own. */
function open(path = folder): Credstash {
  const { keys, entries, vault } = openLocal(path, { create: true });
  opened.push(vault);
  return Credstash.over({ keys, entries });
}

function closeAll(): void {
  for (const vault of opened.splice(0)) vault.close();
}

/** Checks that whoever reads or writes the vault meets this error, and that it stays as it was. */
async function expectRefused(error: object, path = folder): Promise<void> {
  const database = join(path, 'vault.db');
  const before = readFileSync(database);
  const credstash = open(path);
  await expect(credstash.get('n')).rejects.toMatchObject(error);
  await expect(credstash.names()).rejects.toMatchObject(error);
  await expect(credstash.getAll()).rejects.toMatchObject(error);
  await expect(credstash.put('m', Buffer.from('x'))).rejects.toMatchObject(error);
  await expect(credstash.label('n', 'live')).rejects.toMatchObject(error);
  await expect(credstash.delete('n')).rejects.toMatchObject(error);
  closeAll();
  expect(readFileSync(database).equals(before)).toBe(true);
}

const isIntegrity = { code: 'INTEGRITY', exitStatus: 5 };

describe('a database', () => {
  it.each(Object.entries(FOREIGN))('with %s is refused', async (_, sql) => {
    execute(folder, sql);
    await expectRefused({
      ...isIntegrity,
      message: expect.stringMatching(
        /holds what credstash did not make|its tables are not those/,
      ) as string,
    });
  });

  it('names what is not ours', async () => {
    execute(folder, 'CREATE TRIGGER evil AFTER INSERT ON entries BEGIN SELECT 1; END');
    await expect(open().get('n')).rejects.toMatchObject({
      message: `the vault ${folder} holds what credstash did not make: trigger evil`,
      hint: expect.stringContaining('restore') as string,
    });
  });

  it('is refused whose schema is no UTF-8, or no SQL', async () => {
    const path = join(folder, 'vault.db');
    const whole = readFileSync(path);
    for (const [from, to] of [
      ['CREATE TABLE key_check (value', 'CREATE TABLE key_check (v\xff\xfeue'],
      ['CREATE TABLE key_check (value', 'CREATE TABLE "\xff\xfe_check(value'],
      ['key_check', 'key\xff\xfeheck'],
      ['CREATE TABLE entries', 'CREATE VIEW  entries'],
      ['PRIMARY KEY', 'PRIMARY\xffKEY'],
    ] as const) {
      const changed = whole.toString('latin1').replaceAll(from, to);
      expect(changed).not.toBe(whole.toString('latin1'));
      writeFileSync(path, changed, 'latin1');
      await expectRefused(isIntegrity);
    }
  });

  it('is refused whose texts are UTF-16, in which what is stored would not be found again', async () => {
    const other = openDatabase(join(root, 'utf16.db'));
    other.exec("PRAGMA encoding = 'UTF-16le'");
    const file = openDatabase(join(folder, 'vault.db'));
    const objects = file.all('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL');
    file.close();
    for (const { sql } of objects) other.exec(String(sql));
    other.exec('PRAGMA user_version = 3');
    other.close();
    renameSync(join(root, 'utf16.db'), join(folder, 'vault.db'));
    chmodSync(join(folder, 'vault.db'), 0o600);
    await expectRefused(isIntegrity);
  });

  it('with rows out of order ends a scan, which would begin again and again', async () => {
    execute(
      folder,
      `WITH RECURSIVE i(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM i WHERE n < 1500)
       INSERT INTO entries (rowid, name, version) SELECT n, 'a', n FROM i`,
    );
    const path = join(folder, 'vault.db');
    const file = readFileSync(path);
    // The cells of a leaf of the table, in the order of their rowids: https://www.sqlite.org/fileformat.html#b_tree_pages
    for (let page = 4096; page < file.length; page += 4096) {
      if (file[page] !== 0x0d) continue;
      const cells = file.readUInt16BE(page + 3);
      const pointers = file.subarray(page + 8, page + 8 + 2 * cells);
      const reversed = Buffer.concat(
        Array.from({ length: cells }, (_, i) => pointers.subarray(2 * i, 2 * i + 2)).reverse(),
      );
      reversed.copy(pointers);
    }
    writeFileSync(path, file);
    const list = open().list();
    await expect(list).rejects.toMatchObject({
      ...isIntegrity,
      message: expect.stringContaining('damaged') as string,
    });
    await expect(open().getAll()).rejects.toMatchObject(isIntegrity);
  });
});

describe('beside a database', () => {
  it.each(['-journal', '-wal', '-shm'])('a %s that is no plain file is refused', async (suffix) => {
    const path = join(folder, `vault.db${suffix}`);
    const isUsage = { code: 'USAGE', exitStatus: 2, message: `${path} is not a plain file` };
    // Opening one waits for a writer.
    execFileSync('mkfifo', [path]);
    await expectRefused(isUsage);
    rmSync(path);
    mkdirSync(path);
    await expectRefused(isUsage);
    rmSync(path, { recursive: true });
    symlinkSync(join(root, 'elsewhere'), path);
    await expectRefused(isUsage);
    unlinkSync(path);
    expect(Buffer.from(await open().get('n')).toString()).toBe('secret');
  });

  it('a journal that names another file, which SQLite would delete, is refused', async () => {
    const victim = join(root, 'precious');
    writeFileSync(victim, 'precious\n');
    const image = join(root, 'image');
    copyInCommit(folder, image);
    nameSuperJournal(join(image, 'vault.db-journal'), victim);
    await expectRefused(
      { ...isIntegrity, message: expect.stringContaining('vault.db-journal') as string },
      image,
    );
    expect(readFileSync(victim, 'utf8')).toBe('precious\n');
  });

  it('a journal of a writer that was killed is played back', async () => {
    const image = join(root, 'image');
    copyInCommit(folder, image);
    expect(readdirSync(image)).toContain('vault.db-journal');
    expect(Buffer.from(await open(image).get('n')).toString()).toBe('secret');
  });
});

describe('a file or folder of somebody else', () => {
  const user = process.geteuid?.() ?? 0;
  const other = user + 1;
  beforeEach(() => {
    vi.spyOn(process, 'geteuid').mockReturnValue(other);
  });

  it('is refused, with both ways on', async () => {
    await expectRefused({
      code: 'VAULT_PERMISSIONS',
      exitStatus: 6,
      message: expect.stringContaining(
        `belongs to user ${user}, and you are user ${other}`,
      ) as string,
      hint: expect.stringContaining(`chown -R ${other} '${folder}'`) as string,
    });
  });

  it('gets no vault, and no advice to take it', async () => {
    const taken = join(root, 'taken');
    mkdirSync(taken, { mode: 0o700 });
    await expect(open(taken).put('n', Buffer.from('x'))).rejects.toMatchObject({
      code: 'VAULT_PERMISSIONS',
      hint: 'choose a folder of its own, which the first put creates',
    });
    expect(readdirSync(taken)).toEqual([]);
  });
});

describe('a folder', () => {
  it('may be a link to one', async () => {
    const link = join(root, 'link');
    symlinkSync(folder, link);
    expect(Buffer.from(await open(link).get('n')).toString()).toBe('secret');
  });

  it('may have a second name for its files, as a first writer leaves one that is killed', async () => {
    for (const file of ['master.key', 'vault.db']) {
      linkSync(join(folder, file), join(folder, `${file}.0011223344556677.tmp`));
    }
    expect(Buffer.from(await open().get('n')).toString()).toBe('secret');
  });
});

it('a database that is replaced while it is opened is not used', () => {
  const path = join(folder, 'vault.db');
  const other = join(root, 'other');
  writeFileSync(other, readFileSync(path), { mode: 0o600 });
  const close = vi.fn();
  const open = (): { close: () => void } => {
    renameSync(other, path);
    return { close };
  };
  expect(() => openOwnDatabase(path, open)).toThrow(`${path} was replaced while it was opened`);
  expect(close).toHaveBeenCalledTimes(1);
});

it('a master.key that is no plain file, or huge, is refused', async () => {
  const path = join(folder, 'master.key');
  rmSync(path);
  execFileSync('mkfifo', ['-m', '600', path]);
  await expectRefused({ code: 'USAGE', message: `${path} is not a plain file` });
  rmSync(path);
  writeFileSync(path, '', { mode: 0o600 });
  execFileSync('truncate', ['-s', '8T', path]);
  await expect(open().get('n')).rejects.toMatchObject({
    code: 'KEY_UNUSABLE',
    message: expect.stringContaining(
      `the master key ${path} has more than 32 bytes instead of 32`,
    ) as string,
  });
});

it('that is opened takes no lock away that another vault of this process holds', async () => {
  // As each close of a descriptor of the file would (https://www.sqlite.org/howtocorrupt.html, 2.2).
  const writer = openLocal(folder, { create: false });
  opened.push(writer.vault);
  writer.vault.withDatabase((database) => {
    database.exec('BEGIN IMMEDIATE');
  });
  expect(Buffer.from(await open().get('n')).toString()).toBe('secret');
  const other = `const Driver = process.getBuiltinModule('node:sqlite')?.DatabaseSync ?? require('libsql');
    new Driver(process.argv[1]).exec('BEGIN IMMEDIATE');`;
  const args = ['-e', other, join(folder, 'vault.db')];
  expect(() => execFileSync(process.execPath, args, { stdio: 'pipe' })).toThrow(
    'database is locked',
  );
});
