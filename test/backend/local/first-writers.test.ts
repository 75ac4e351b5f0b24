import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/backend/local/sqlite.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Vault } from '../../../src/backend/local/vault.ts';
import { Credstash } from '../../../src/credstash.ts';
import { run } from '../../support/run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let root: string;
let folder: string;
let opened: Vault[];

beforeEach(() => {
  root = temporaryFolder();
  folder = join(root, 'vault');
  opened = [];
});
afterEach(() => {
  for (const vault of opened) vault.close();
});

function open(): Credstash {
  const { keys, entries, vault } = openLocal(folder, { create: true });
  opened.push(vault);
  return Credstash.over({ keys: keys, entries: entries });
}

/** Changes the entries of the vault past the store. */
function tamper(sql: string, ...values: string[]): void {
  const database = openDatabase(join(folder, 'vault.db'));
  try {
    expect(database.run(sql, ...values)).toBe(1);
  } finally {
    database.close();
  }
}

describe('a new vault', () => {
  it('is made by one of 24 processes that come first, and all of them use its key', async () => {
    const names = Array.from({ length: 24 }, (_, i) => `secret.${i}`);
    const outcomes = await Promise.all(
      names.map((name) => run([`--local=${folder}`, 'put', name, `value of ${name}`])),
    );
    expect(outcomes.filter(({ status }) => status !== 0)).toEqual([]);
    const credstash = open();
    for (const name of names) {
      expect(Buffer.from(await credstash.get(name)).toString()).toBe(`value of ${name}`);
    }
    expect(readdirSync(folder).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  });

  it('is finished by the next use, with the same key, when its making was cut short', async () => {
    mkdirSync(folder, { mode: 0o700 });
    const key = Buffer.alloc(32, 7);
    writeFileSync(join(folder, 'master.key'), key, { mode: 0o600 });
    writeFileSync(join(folder, 'vault.db.0011223344556677.tmp'), 'half', { mode: 0o600 });
    await open().put('n', Buffer.from('secret'));
    expect(readFileSync(join(folder, 'master.key'))).toEqual(key);
    expect(Buffer.from(await open().get('n')).toString()).toBe('secret');
  });
});

describe('closing a vault', () => {
  it('wipes its copy of the master key', () => {
    const { vault } = openLocal(folder, { create: true });
    vault.setup();
    const key = vault.masterKey();
    expect(Buffer.from(key).equals(readFileSync(join(folder, 'master.key')))).toBe(true);
    vault.close();
    expect(key).toEqual(Buffer.alloc(32));
  });
});

describe('an entry of a vault that somebody changed', () => {
  beforeEach(() => open().put('n', Buffer.from('secret')));

  it('does not unwrap under another name', async () => {
    tamper('UPDATE entries SET name = ?', 'm');
    await expect(open().get('m')).rejects.toMatchObject({ code: 'WRONG_CONTEXT', exitStatus: 6 });
  });

  it.each(['version', 'created', 'digest', 'comment'])(
    'does not verify with another %s',
    async (column) => {
      const changed = {
        version: '0000000000000000002',
        created: '2020-01-01T00:00:00Z',
        digest: 'SHA512',
        comment: 'changed',
      }[column];
      tamper(`UPDATE entries SET ${column} = ?`, changed ?? '');
      await expect(open().get('n')).rejects.toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
    },
  );

  it('is broken when bytes became text', async () => {
    tamper('UPDATE entries SET contents = ?', 'text');
    await expect(open().get('n')).rejects.toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
  });
});

describe('a database that is damaged', () => {
  beforeEach(() => open().put('n', Buffer.from('secret')));

  it.each([
    ['emptied', () => Buffer.alloc(0)],
    ['cut in the middle of a page', (whole: Buffer) => whole.subarray(0, 5000)],
    ['overwritten behind its header', (whole: Buffer) => Buffer.from(whole).fill(0xa5, 100)],
  ])('is an integrity error when it was %s', async (_, damage) => {
    const path = join(folder, 'vault.db');
    writeFileSync(path, damage(readFileSync(path)));
    await expect(open().get('n')).rejects.toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
  });

  it('is refused every time, and not touched, when a later credstash wrote it', async () => {
    const path = join(folder, 'vault.db');
    const later = readFileSync(path);
    // The user version, in the file's header (https://www.sqlite.org/fileformat.html#user_version_number).
    expect(later.readUInt32BE(60)).toBe(3);
    later.writeUInt32BE(4, 60);
    writeFileSync(path, later);
    const credstash = open();
    for (let i = 0; i < 2; i += 1) {
      await expect(credstash.put('n2', Buffer.from('s'))).rejects.toMatchObject({
        code: 'INTEGRITY',
        message: `the vault ${folder} has schema 4, this credstash knows 3`,
      });
    }
    expect(readFileSync(path).equals(later)).toBe(true);
  });
});
