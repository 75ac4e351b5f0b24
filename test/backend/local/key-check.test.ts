import { createCipheriv, createHmac } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../src/backend/local/sqlite.ts';
import { openLocal } from '../../../src/backend/local/index.ts';
import { deriveKeyCheck } from '../../../src/backend/local/key-check.ts';
import type { Vault } from '../../../src/backend/local/vault.ts';
import { Credstash } from '../../../src/credstash.ts';
import { execute, makeOlder } from '../../support/vault-files.ts';
import { outcomesOf } from '../../support/outcomes.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/*
 * The check value of a master key: a vault knows its own.
 */

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

/** A `Credstash` of a process of its own, on the vault in `path`. */
function open(path = folder): Credstash {
  const { keys, entries, vault } = openLocal(path, { create: true });
  opened.push(vault);
  return Credstash.over({ keys, entries });
}

async function get(name: string, context = {}): Promise<string> {
  return Buffer.from(await open().get(name, { context })).toString();
}

const bytes = Buffer.from('secret');
const key = (): string => join(folder, 'master.key');
const database = (): string => join(folder, 'vault.db');

function schema(): unknown {
  const file = openDatabase(database());
  const [row] = file.all('PRAGMA user_version');
  file.close();
  return row?.['user_version'];
}

/** Puts another vault's key in the place of this one's, and gives back this one's. */
async function swapKey(): Promise<Buffer> {
  const other = join(root, 'other');
  await open(other).put('n', bytes);
  const own = readFileSync(key());
  writeFileSync(key(), readFileSync(join(other, 'master.key')));
  return own;
}

const mismatch = { code: 'VAULT_KEY_MISMATCH', exitStatus: 6 };

describe('the check value of a master key', () => {
  it('is HKDF-Expand of RFC 5869, and the vault has it from the start', async () => {
    await open().put('n', bytes);
    const master = readFileSync(key());
    const expected = createHmac('sha256', master)
      .update('credstash vault key check 1')
      .update(Uint8Array.of(1))
      .digest();
    expect(Buffer.from(deriveKeyCheck(master)).equals(expected)).toBe(true);
    const file = openDatabase(database());
    expect(file.all('SELECT value FROM key_check').map(({ value }) => value)).toEqual([
      new Uint8Array(expected),
    ]);
    file.close();
  });

  it('is of a fixed key what docs/reference/entry-format.md says', () => {
    const master = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
    const hex = Buffer.from(deriveKeyCheck(master)).toString('hex');
    expect(readFileSync('docs/reference/entry-format.md', 'utf8')).toContain(hex);
  });

  it('is not the hash key of GCM, which a block of zeros under the key would be', () => {
    const master = Buffer.alloc(32, 7);
    const cipher = createCipheriv('aes-256-ecb', master, null);
    const hashKey = cipher.update(Buffer.alloc(16));
    expect(Buffer.from(deriveKeyCheck(master)).includes(hashKey.subarray(0, 4))).toBe(false);
  });
});

describe("another vault's master.key", () => {
  it('is told before anything is read or written', async () => {
    await open().put('n', bytes);
    await open().put('n', bytes, { autoversion: true });
    const own = await swapKey();
    const before = readFileSync(database());
    const writes = [
      () => open().put('m', bytes),
      () => open().put('n', bytes, { autoversion: true, context: { k: 'v' } }),
      () => open().rollback('n'),
      () => open().get('n'),
      () => open().getAll(),
      () => open().getAll({ skipUndecryptable: true }),
      () => open().getMany([{ name: 'n' }, { name: 'n', version: '1' }]),
    ];
    for (const write of writes)
      await expect(write(), String(write)).rejects.toMatchObject(mismatch);
    for (const change of [
      () => open().putAll([{ name: 'a', value: bytes }]),
      () => open().rekey(),
      () => open(join(root, 'other')).copy(open()),
    ]) {
      for (const each of await outcomesOf(change())) {
        expect(each).toMatchObject({ done: 'failed', error: mismatch });
      }
    }
    // What needs no key works.
    expect(await open().names()).toEqual(['n']);
    expect(readFileSync(database()).equals(before)).toBe(true);
    writeFileSync(key(), own);
    expect(await get('n')).toBe('secret');
  });

  it.each([
    ['no value', 'DELETE FROM key_check', 'INTEGRITY'],
    ['two values', 'INSERT INTO key_check VALUES (1)', 'INTEGRITY'],
    ['a text', "UPDATE key_check SET value = 'x'", 'VAULT_KEY_MISMATCH'],
    [
      'a text that is no UTF-8',
      "UPDATE key_check SET value = CAST(x'ff41' AS TEXT)",
      'VAULT_KEY_MISMATCH',
    ],
    ['a number', 'UPDATE key_check SET value = 9223372036854775807', 'VAULT_KEY_MISMATCH'],
    ['a shorter value', 'UPDATE key_check SET value = substr(value, 1, 31)', 'VAULT_KEY_MISMATCH'],
    ['an empty value', "UPDATE key_check SET value = x''", 'VAULT_KEY_MISMATCH'],
  ])('is what a vault has whose check value was changed to %s', async (_, sql, code) => {
    await open().put('n', bytes);
    execute(folder, sql);
    await expect(open().get('n')).rejects.toMatchObject({ code });
    await expect(open().put('m', bytes)).rejects.toMatchObject({ code });
  });
});

describe.each([1, 2] as const)('a vault of schema %i', (version) => {
  it('is read as it is, and gets a check value with the first write', async () => {
    await open().put('n', bytes);
    makeOlder(folder, version);
    const before = readFileSync(database());
    expect(await get('n')).toBe('secret');
    expect(await open().names()).toEqual(['n']);
    expect(readFileSync(database()).equals(before)).toBe(true);
    await open().put('m', bytes);
    expect(schema()).toBe(3);
    await open().label('m', 'live');
    expect([await get('n'), await get('m')]).toEqual(['secret', 'secret']);
    await swapKey();
    await expect(open().put('o', bytes)).rejects.toMatchObject(mismatch);
  });

  it('gets it by a rewrite and by an entry of the original format too', async () => {
    await open().put('n', bytes, { cipher: 'AES-256-CTR' });
    makeOlder(folder, version);
    for (const each of await open().rekey()) expect(each.done).toBe('changed');
    expect(schema()).toBe(3);
    expect(await get('n')).toBe('secret');
  });

  it('gets none with a key that opened no entry, whatever it wraps', async () => {
    await open().put('n', bytes);
    makeOlder(folder, version);
    const own = await swapKey();
    await expect(open().get('n')).rejects.toMatchObject({ code: 'WRONG_CONTEXT' });
    await open().put('m', bytes);
    expect(schema()).toBe(version);
    // Its own key opens the older entry.
    writeFileSync(key(), own);
    await open().put('o', bytes);
    expect(schema()).toBe(3);
    expect(await get('n')).toBe('secret');
  });

  it('gets it once a write has the pairs of a stored entry', async () => {
    const context = { k: 'v' };
    await open().put('n', bytes, { context });
    makeOlder(folder, version);
    const credstash = open();
    await credstash.put('m', bytes, { context: { k: 'w' } });
    expect(schema()).toBe(version);
    await credstash.put('o', bytes, { context });
    expect(schema()).toBe(3);
    expect(await get('n', context)).toBe('secret');
  });

  it('gets it while it has no entry', async () => {
    await open().put('n', bytes);
    execute(folder, 'DELETE FROM entries');
    makeOlder(folder, version);
    await swapKey();
    await open().put('m', bytes);
    expect(schema()).toBe(3);
    expect(await get('m')).toBe('secret');
  });

  it('gets one of 16 writers who come at once, and a broken entry is in no way', async () => {
    await open().put('n', bytes);
    execute(folder, "INSERT INTO entries (name, version, key) VALUES ('broken', '1', x'00')");
    makeOlder(folder, version);
    const names = Array.from({ length: 16 }, (_, i) => `m${i}`);
    await Promise.all(names.map((name) => open().put(name, bytes)));
    expect(schema()).toBe(3);
    for (const name of names) expect(await get(name)).toBe('secret');
  });

  it('is read where it cannot be written', async () => {
    await open().put('n', bytes);
    makeOlder(folder, version);
    chmodSync(database(), 0o400);
    chmodSync(folder, 0o500);
    expect(await get('n')).toBe('secret');
    chmodSync(folder, 0o700);
  });
});
