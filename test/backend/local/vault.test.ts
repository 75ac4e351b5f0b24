import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/backend/local/driver.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import { Credstash } from '../../../src/credstash.ts';
import { run } from '../../support/run.ts';

let root: string;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'credstash-vault-'));
  folder = join(root, 'deep', 'vault');
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Runs `use` on the vault, as one process would. */
async function using<T>(
  use: (credstash: Credstash) => Promise<T>,
  create = true,
  path = folder,
): Promise<T> {
  const { keys, entries, vault } = openLocal(path, { create });
  try {
    return await use(new Credstash(keys, entries));
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
    // SQLite's own log may still be there; no draft is.
    const files = readdirSync(folder).filter((file) => !/^vault\.db-(wal|shm)$/.test(file));
    expect(files.sort()).toEqual(['master.key', 'vault.db']);
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
    await expect(get()).rejects.toMatchObject({ code: 'WRONG_CONTEXT', exitStatus: 6 });
  });

  it('that is damaged says so', async () => {
    await put();
    writeFileSync(join(folder, 'vault.db'), Buffer.alloc(8192, 'x'));
    await expect(get()).rejects.toMatchObject({ code: 'INTEGRITY', exitStatus: 5 });
  });

  it('of a later schema is refused', async () => {
    await put();
    const database = openDatabase(join(folder, 'vault.db'));
    database.exec('PRAGMA user_version = 2');
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
    // In another process, so that SQLite's log is closed with it.
    const cli = async (...args: string[]): Promise<unknown> => {
      const { status } = await run([`--local=${folder}`, ...args], { env: { HOME: root } });
      return status;
    };
    expect(await cli('put', 'kept', 'x')).toBe(0);
    expect(await cli('put', 'gone', 'x', '-c', 'a-marker')).toBe(0);
    expect(readFileSync(join(folder, 'vault.db')).includes('a-marker')).toBe(true);
    expect(await cli('delete', 'gone')).toBe(0);
    for (const file of readdirSync(folder)) {
      expect(readFileSync(join(folder, file)).includes('a-marker'), file).toBe(false);
    }
  });

  it('writes ahead, so that readers and a writer do not wait for each other', async () => {
    await put();
    const database = openDatabase(join(folder, 'vault.db'));
    expect(database.all('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(database.all('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    database.close();
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
