import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/backend/local/sqlite.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import { Credstash } from '../../../src/credstash.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let root: string;
let folder: string;

beforeEach(() => {
  root = temporaryFolder();
  folder = join(root, 'deep', 'vault');
});

/** Runs `use` on the vault, as one process would. */
async function using<T>(
  use: (credstash: Credstash) => Promise<T>,
  create = true,
  path = folder,
): Promise<T> {
  const { keys, entries, vault } = openLocal(path, { create });
  try {
    return await use(Credstash.over({ keys: keys, entries: entries }));
  } finally {
    vault.close();
  }
}

const put = (path = folder): Promise<unknown> =>
  using(
    (credstash) => credstash.put('n', Buffer.from('secret'), { autoversion: true }),
    true,
    path,
  );
const get = (): Promise<string> =>
  using(async (credstash) => Buffer.from(await credstash.get('n')).toString(), false);

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('the vault', () => {
  it('comes into being with the first put, for its owner alone, and leaves no other file [rule 26]', async () => {
    await put();
    expect(mode(folder)).toBe('700');
    expect(readdirSync(folder).sort()).toEqual(['master.key', 'vault.db']);
    for (const file of readdirSync(folder)) expect(mode(join(folder, file))).toBe('600');
    expect(readFileSync(join(folder, 'master.key'))).toHaveLength(32);
    expect(await get()).toBe('secret');
  });

  it('comes into being once: setup says whether it did it', () => {
    const { vault } = openLocal(folder, { create: false });
    expect(vault.setup()).toBe(true);
    expect(vault.setup()).toBe(false);
  });

  it('is not created by bad input, nor by a reader', async () => {
    await expect(using((credstash) => credstash.put('', Buffer.from('s')))).rejects.toMatchObject({
      code: 'USAGE',
    });
    await expect(get()).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND', exitStatus: 3 });
    expect(existsSync(folder)).toBe(false);
  });

  it('holds no secret in the clear', async () => {
    await put();
    for (const file of readdirSync(folder)) {
      expect(readFileSync(join(folder, file)).includes('secret')).toBe(false);
    }
  });

  it.each([0o750, 0o705, 0o711])(
    'is refused when others can open its folder (%o), with the chmod',
    async (others) => {
      await put();
      chmodSync(folder, others);
      const refusal = { code: 'VAULT_PERMISSIONS', exitStatus: 6, hint: `chmod 700 '${folder}'` };
      await expect(get()).rejects.toMatchObject(refusal);
      await expect(put()).rejects.toMatchObject(refusal);
      chmodSync(folder, 0o700);
      expect(await get()).toBe('secret');
    },
  );

  it('is not created in a folder that others can open', async () => {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    await expect(put()).rejects.toMatchObject({ code: 'VAULT_PERMISSIONS' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused when others can read its key', async () => {
    await put();
    const key = join(folder, 'master.key');
    chmodSync(key, 0o640);
    await expect(get()).rejects.toMatchObject({
      code: 'VAULT_PERMISSIONS',
      hint: `chmod 600 '${key}'`,
    });
  });

  it('never makes a new key for entries that are there', async () => {
    await put();
    rmSync(join(folder, 'master.key'));
    await expect(get()).rejects.toMatchObject({ code: 'KEY_NOT_FOUND', exitStatus: 6 });
    await expect(put()).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    expect(existsSync(join(folder, 'master.key'))).toBe(false);
  });

  it('refuses a key of another length', async () => {
    await put();
    writeFileSync(join(folder, 'master.key'), Buffer.alloc(31));
    await expect(get()).rejects.toMatchObject({ code: 'KEY_UNUSABLE', exitStatus: 6 });
  });

  it('does not open the entries of another', async () => {
    await put();
    const other = join(root, 'other');
    await put(other);
    writeFileSync(join(folder, 'master.key'), readFileSync(join(other, 'master.key')));
    await expect(get()).rejects.toMatchObject({ code: 'VAULT_KEY_MISMATCH', exitStatus: 6 });
  });

  it('that is damaged says so', async () => {
    await put();
    writeFileSync(join(folder, 'vault.db'), Buffer.alloc(8192, 'x'));
    await expect(get()).rejects.toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
  });

  it('of before there were labels is read as it is, and gets them with the first one', async () => {
    await put();
    const path = join(folder, 'vault.db');
    const database = openDatabase(path);
    database.exec(
      'DROP TABLE key_check; ALTER TABLE entries DROP COLUMN labels; PRAGMA user_version = 1',
    );
    database.close();
    const before = readFileSync(path);
    expect(await get()).toBe('secret');
    const { entries, vault } = openLocal(folder, { create: false });
    expect(await entries.getByLabel('n', 'live')).toBeUndefined();
    expect((await entries.latest('n'))?.labels).toBeUndefined();
    expect(readFileSync(path).equals(before)).toBe(true);
    // Somebody else adds the column while this one has the vault open.
    const other = openLocal(folder, { create: false });
    const version = (await entries.latest('n'))?.version;
    await other.entries.moveLabel('n', 'live', version);
    other.vault.close();
    expect((await entries.latest('n'))?.labels).toEqual(['live']);
    expect(await entries.remove('n', String(version), { unlabelled: true })).toBe(false);
    vault.close();
    expect(await get()).toBe('secret');
  });

  it('of a later schema is refused', async () => {
    await put();
    const database = openDatabase(join(folder, 'vault.db'));
    database.exec('PRAGMA user_version = 4');
    database.close();
    await expect(get()).rejects.toMatchObject({ code: 'INTEGRITY' });
  });

  it.each(['vault.db', 'master.key'])('whose %s is a link is refused', async (file) => {
    await put();
    renameSync(join(folder, file), join(root, 'elsewhere'));
    symlinkSync(join(root, 'elsewhere'), join(folder, file));
    await expect(get()).rejects.toMatchObject({ code: 'USAGE', exitStatus: 2 });
    await expect(put()).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('whose folder is a file says so', async () => {
    writeFileSync(join(root, 'deep'), '');
    await expect(put()).rejects.toMatchObject({ code: 'USAGE' });
    await expect(put(join(root, 'deep'))).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('overwrites what is deleted', async () => {
    await put();
    await using((credstash) => credstash.put('gone', Buffer.from('x'), { comment: 'a-marker' }));
    expect(readFileSync(join(folder, 'vault.db')).includes('a-marker')).toBe(true);
    await using(async (credstash) => {
      for (const each of await credstash.delete('gone')) expect(each.name).toBe('gone');
    });
    expect(readFileSync(join(folder, 'vault.db')).includes('a-marker')).toBe(false);
  });

  it('keeps no writer waiting between two entries that a reader takes', async () => {
    for (let i = 0; i < 40; i += 1) await put();
    const { entries, vault } = openLocal(folder, { create: false });
    const reader = entries.scan()[Symbol.asyncIterator]();
    expect((await reader.next()).value).toMatchObject({ name: 'n' });
    expect(await entries.latest('n')).toMatchObject({ name: 'n' });
    // On a connection of its own, where a lock of the reader's would be in the way for 30 seconds.
    await put();
    expect((await reader.next()).value).toMatchObject({ name: 'n' });
    vault.close();
  });

  it('removes the drafts of killed first writers with the next put, and no other file', async () => {
    await put();
    const drafts = ['master.key.00112233aabbccdd.tmp', 'vault.db.00112233aabbccdd.tmp-journal'];
    const others = ['master.key.bak', 'vault.db.00112233aabbccdd.tmp.bak'];
    for (const file of [...drafts, ...others]) writeFileSync(join(folder, file), '');
    await get();
    expect(readdirSync(folder)).toHaveLength(6);
    await put();
    expect(readdirSync(folder).sort()).toEqual(['master.key', 'vault.db', ...others].sort());
  });

  describe('of an earlier release, with a write-ahead log', () => {
    // The bytes of the header that say so: https://www.sqlite.org/fileformat.html#file_format_version_numbers
    const versions = (): number[] => [...readFileSync(join(folder, 'vault.db')).subarray(18, 20)];
    beforeEach(async () => {
      await put();
      expect(versions()).toEqual([1, 1]);
      const file = openSync(join(folder, 'vault.db'), 'r+');
      writeSync(file, Buffer.from([2, 2]), 0, 2, 18);
      closeSync(file);
    });

    it('loses it to whoever has the vault to himself', async () => {
      expect(await get()).toBe('secret');
      expect(versions()).toEqual([1, 1]);
      expect(readdirSync(folder).sort()).toEqual(['master.key', 'vault.db']);
    });

    it('works as it is while others have it open', async () => {
      const other = openDatabase(join(folder, 'vault.db'));
      expect(other.all('SELECT version FROM entries')).toHaveLength(1);
      await put();
      expect(await get()).toBe('secret');
      expect(versions()).toEqual([2, 2]);
      expect(other.all('SELECT version FROM entries')).toHaveLength(2);
      other.close();
    });
  });

  /** Changes the vault past the store. */
  const tamper = (sql: string): void => {
    const database = openDatabase(join(folder, 'vault.db'));
    database.exec(sql);
    database.close();
  };
  const versions = (): Promise<string[]> =>
    using(async (credstash) => (await credstash.list()).map(({ version }) => version));

  it('has rows that a driver cannot give back: a text that is no UTF-8, a number over 2^53', async () => {
    await put();
    for (const value of ["CAST(x'ff41' AS TEXT)", '9223372036854775807', '-1e300']) {
      for (const column of ['version', 'comment', 'hmac']) {
        tamper("DELETE FROM entries WHERE name = 'm'");
        tamper(
          `INSERT INTO entries (name, version, ${column === 'version' ? 'cipher' : column})
           VALUES ('m', ${column === 'version' ? `${value}, NULL` : `'1', ${value}`})`,
        );
        expect(await versions()).toHaveLength(2);
        const found = using((credstash) => credstash.get('m'));
        await expect(found).rejects.toMatchObject({ code: 'INTEGRITY' });
        expect(await get()).toBe('secret');
      }
    }
  });

  it('takes a number where a text may be absent for no absent one', async () => {
    await put();
    tamper('UPDATE entries SET comment = 5');
    await expect(get()).rejects.toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
  });

  it('lists each row once, however alike, and comes to an end', async () => {
    await put();
    // A NUL is where a driver may end a text, so that these are one name. More than two pages.
    tamper(
      `WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2500)
       INSERT INTO entries (name, version) SELECT 'a' || char(0) || n, n FROM i`,
    );
    expect(await versions()).toHaveLength(2501);
    const all = using((credstash) => credstash.getAll());
    await expect(all).rejects.toMatchObject({ code: 'INTEGRITY' });
  });

  it.each(['DROP TABLE entries', 'ALTER TABLE entries RENAME COLUMN hmac TO mac'])(
    'that is none any more, by %s, says so',
    async (sql) => {
      await put();
      tamper(sql);
      await expect(get()).rejects.toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
      await expect(put()).rejects.toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
    },
  );
});
